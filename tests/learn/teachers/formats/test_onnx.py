"""Teachers in ONNX files, made by hand as PyTorch's exporter writes them."""

import sys

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError

onnx = pytest.importorskip("onnx", reason="the package onnx, which makes the files, is missing")
pytest.importorskip("onnxruntime", reason="onnxruntime, which opens them, is missing")

KERNEL = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)


def network(*, batch="batch", first=True, kind=None, domain="", masks=False, inputs=1):
    """A convolution and its mean, or for masks the convolution alone."""
    helper, types = onnx.helper, onnx.TensorProto
    shape = [batch, 3, 8, 8] if first else [batch, 8, 8, 3]
    given = [
        helper.make_tensor_value_info(f"image_{number}", kind or types.FLOAT, shape)
        for number in range(inputs)
    ]
    nodes, tensor = [], "image_0"
    if kind:
        nodes.append(helper.make_node("Cast", [tensor], ["floats"], to=types.FLOAT))
        tensor = "floats"
    if not first:
        nodes.append(helper.make_node("Transpose", [tensor], ["turned"], perm=[0, 3, 1, 2]))
        tensor = "turned"
    nodes.append(
        helper.make_node("Conv", [tensor, "kernel"], ["features"], pads=[1] * 4, domain=domain)
    )
    answers = [batch, 4, 8, 8] if masks else [batch, 4]
    if not masks:
        nodes.append(helper.make_node("GlobalAveragePool", ["features"], ["means"]))
        nodes.append(helper.make_node("Flatten", ["means"], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "network",
        given,
        [helper.make_tensor_value_info("features" if masks else "logits", types.FLOAT, answers)],
        [onnx.numpy_helper.from_array(KERNEL, "kernel")],
    )
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def convolved(images):
    from kdtasks.core.backend import tf

    kernel = np.transpose(KERNEL, (2, 3, 1, 0))
    return tf.nn.conv2d(images, kernel, 1, "SAME").numpy()


@pytest.fixture
def logits(import_file, tmp_path, images):
    """Give a function that imports a network and asks it about the images."""
    from kdtasks.learn.teachers.teacher import open_teacher

    def run(model, **params):
        onnx.save(model, tmp_path / "teacher.onnx")
        return open_teacher(import_file(tmp_path / "teacher.onnx", **params)).logits(images)

    return run


@pytest.mark.parametrize("batch", ["batch", 3, 1])
@pytest.mark.parametrize("first", [True, False])
def test_images_are_turned_as_the_file_wants_them(batch, first, logits, images):
    found = logits(network(batch=batch, first=first), input="unit")
    expected = convolved(images.astype(np.float32) / 255).mean((1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_file_that_takes_bytes_gets_bytes(logits, images):
    found = logits(network(kind=onnx.TensorProto.UINT8), input="byte")
    expected = convolved(images.astype(np.float32)).mean((1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-2)


def test_masks_come_with_the_classes_last(logits, images):
    expected = convolved(images.astype(np.float32) / 255)
    labels = expected.argmax(axis=-1).astype(np.uint8)  # the teacher has to be right
    found = logits(network(masks=True), input="unit", labels=labels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inputs": 2}, "has 2 inputs and 1 outputs; a teacher has one of each"),
        ({"kind": 11}, r"takes tensor\(double\); a teacher takes images in float32"),
        ({"domain": "my.own"}, "needs an operation that onnxruntime does not have .*my.own"),
    ],
)
def test_what_does_not_serve_is_refused(settings, message, import_file, tmp_path):
    onnx.save(network(**settings), tmp_path / "teacher.onnx")
    with pytest.raises(TeacherError, match=message):
        import_file(tmp_path / "teacher.onnx")


def test_weights_in_another_file_are_not_read(import_file, tmp_path):
    model = network()
    onnx.save(
        model,
        tmp_path / "teacher.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert (tmp_path / "weights.bin").is_file()
    with pytest.raises(TeacherError, match="keeps weights in other files; save it as one file"):
        import_file(tmp_path / "teacher.onnx")


def test_a_damaged_file_is_refused(import_file, tmp_path):
    content = network().SerializeToString()
    (tmp_path / "teacher.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(TeacherError, match=r"could not be opened .*check that the file"):
        import_file(tmp_path / "teacher.onnx")


def test_a_missing_package_is_named_with_the_command(import_file, tmp_path, monkeypatch):
    onnx.save(network(), tmp_path / "teacher.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(TeacherError, match=r"not installed; `pip install 'kdtasks\[onnx\]'`"):
        import_file(tmp_path / "teacher.onnx")
