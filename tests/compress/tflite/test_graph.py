import numpy as np
import pytest

from kdtasks.compress.tflite.arena import delegated_operators, split_signatures
from kdtasks.compress.tflite.graph import Tensor, _count_macs, read_graphs
from kdtasks.core.errors import BundleError
from kdtasks.edge.segments import Segments
from tests.compress.tflite.conftest import ZOO


def chain(parts, images):
    """Hand tensors from file to file, as a runtime with one graph a file would."""
    from ai_edge_litert.interpreter import Interpreter

    runners = []
    for name in sorted(parts):
        interpreter = Interpreter(model_content=parts[name], num_threads=1)
        assert interpreter.num_subgraphs() == 1
        runners.append(interpreter.get_signature_runner(name))
    for image in images:
        tensors, logits = {"image": image}, []
        for runner in runners:
            tensors |= runner(**{key: tensors[key] for key in runner.get_input_details()})
            logits.append(tensors.pop("logits")[0])
        yield np.stack(logits)


@pytest.mark.parametrize("name", ZOO)
def test_macs_are_those_of_the_network(name, network, converted):
    graphs = read_graphs(converted(name, "float32"))
    assert [graph.signature for graph in graphs] == [f"segment_{k}" for k in range(len(graphs))]
    total = np.cumsum([graph.macs for graph in graphs]).tolist()
    assert total == list(network(name).macs())


def test_tensors_and_weights_by_hand(pixel_models):
    # Two pixels by two classes: logits = (pixels / 64 − 2) @ weights.
    (graph,) = read_graphs(pixel_models[0])
    assert (graph.macs, [one.name for one in graph.operators][-1]) == (4, "FULLY_CONNECTED")
    dense = graph.operators[-1]
    assert graph.tensors[dense.inputs[1]].shape == (2, 2)
    assert graph.tensors[dense.inputs[1]].bytes == 16
    assert graph.tensors[graph.outputs["logits"]] == Tensor(
        graph.tensors[dense.outputs[0]].name, (1, 2), "float32", None, 0, 0, 8, None
    )
    image = graph.tensors[graph.inputs["image"]]
    assert (image.shape, image.dtype, image.buffer) == ((1, 1, 2, 1), "float32", None)


def test_matrices_by_hand():
    left = Tensor("", (5, 2, 3), "float32", None, 0, 0, 120, None)
    output = Tensor("", (5, 2, 4), "float32", None, 0, 0, 160, None)
    assert _count_macs("BATCH_MATMUL", [left, None], output) == 5 * 2 * 3 * 4


def test_int8_tells_its_scales(int8_content):
    first, second = read_graphs(int8_content)
    (features,) = (key for key in first.outputs if key != "logits")
    given, taken = first.tensors[first.outputs[features]], second.tensors[second.inputs[features]]
    assert given.dtype == taken.dtype == "int8"
    assert given.scale == pytest.approx(taken.scale)
    kernel = first.tensors[first.operators[0].inputs[1]]
    assert kernel.channels == kernel.shape[0] == 8  # a scale a filter


@pytest.mark.parametrize("name", ZOO)
def test_parts_answer_what_the_whole_does(name, network, converted, draw_images):
    model = network(name)
    images = draw_images(model, 3)
    content = converted(name, "float32")
    parts, whole = split_signatures(content), Segments(content)
    for image, logits in zip(images, chain(parts, images[:, None].astype(np.float32)), strict=True):
        np.testing.assert_array_equal(logits, whole.logits(image))


def test_int8_parts_answer_what_the_whole_does(int8_content, trained):
    whole, parts = Segments(int8_content), split_signatures(int8_content)
    assert sum(map(len, parts.values())) < 1.2 * len(int8_content)
    encoded = (trained.images[:5, None] ^ 0x80).view(np.int8)
    for image, logits in zip(trained.images, chain(parts, encoded), strict=False):
        decoded = [decode(z) for decode, z in zip(whole.decoders, logits, strict=True)]
        np.testing.assert_array_equal(np.stack(decoded), whole.logits(image))


def test_the_same_file_gives_the_same_parts(int8_content):
    assert split_signatures(int8_content) == split_signatures(int8_content)


def test_the_delegate_is_asked(converted, int8_content):
    for content in (*(converted(name, "float32") for name in ZOO), int8_content):
        delegated = delegated_operators(content)
        for graph in read_graphs(content):
            assert len(delegated[graph.signature]) == len(graph.operators)
            heavy = [
                taken
                for taken, operator in zip(delegated[graph.signature], graph.operators, strict=True)
                if operator.name in ("CONV_2D", "FULLY_CONNECTED")
            ]
            assert heavy
            assert all(heavy)


def test_nothing_is_delegated_where_there_is_no_delegate(int8_content, monkeypatch):
    from ai_edge_litert import interpreter

    def plain(**options):
        kind = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        return original(experimental_op_resolver_type=kind, **options)

    original = interpreter.Interpreter
    monkeypatch.setattr(interpreter, "Interpreter", plain)
    answers = delegated_operators(int8_content)
    assert not any(taken for operators in answers.values() for taken in operators)


@pytest.mark.parametrize("read", [read_graphs, split_signatures])
def test_what_is_no_model_is_refused(read, int8_content):
    with pytest.raises(BundleError, match="cannot be taken apart"):
        read(int8_content[:100])
