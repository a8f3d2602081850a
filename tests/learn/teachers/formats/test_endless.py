"""Files of each format with a loop that ends, and with one that may not; none is run."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.edge.interpreter import calls
from kdtasks.learn.teachers.formats.onnx import ONNX, check_onnx_loops
from kdtasks.learn.teachers.formats.saved_model import SavedModel
from kdtasks.learn.teachers.formats.tflite import TFLite

REFUSED = "holds a loop that may never end; save the teacher with a number of turns in each loop"


def ends(image: Any) -> Any:
    """A sum over rows, and three turns more."""
    from kdtasks.core.backend import tf

    rows = tf.map_fn(lambda row: tf.reduce_sum(row)[None], image[0])
    turns = tf.constant(0), tf.reshape(tf.reduce_sum(rows), (1, 1))
    return tf.while_loop(
        lambda turn, value: tf.reduce_sum(value) > 0.0,
        lambda turn, value: (turn, value - 1.0),
        turns,
        maximum_iterations=3,
    )[1]


def never_ends(image: Any) -> Any:
    from kdtasks.core.backend import tf

    turns = tf.constant(0), tf.reshape(tf.reduce_sum(image), (1, 1))
    return tf.while_loop(
        lambda turn, value: turn < 3, lambda turn, value: (turn, value + 1.0), turns
    )[1]


def save(network: Callable[[Any], Any], folder: Path) -> Any:
    """Save a network; gives its graph."""
    from kdtasks.core.backend import tf

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 3), name="image")])
    def serve(image: Any) -> dict[str, Any]:
        return {"logits": network(image)}

    tf.saved_model.save(tf.Module(), folder, signatures=serve)
    return serve.get_concrete_function()


def test_saved_models_and_litert_files(tmp_path: Path) -> None:
    from kdtasks.core.backend import tf

    for network in (ends, never_ends):
        folder, path = tmp_path / network.__name__, tmp_path / f"{network.__name__}.tflite"
        graph = save(network, folder)
        with warnings.catch_warnings(action="ignore"):
            path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([graph]).convert())
        assert calls(path.read_bytes()) == ["WHILE"]
        if network is ends:
            image = np.full((1, 4, 4, 3), 0.5, np.float32)
            for opened in (SavedModel().open(folder, ()), TFLite().open(path, ())):
                assert opened.run(image)[0].tolist() == [[21.0]]
            continue
        with pytest.raises(TeacherError, match=f"never_ends {REFUSED}"):
            SavedModel().open(folder, ())
        with pytest.raises(TeacherError, match=rf"never_ends\.tflite {REFUSED}"):
            TFLite().open(path, ())


def onnx_file(turns: str, *, is_inside: bool = False) -> bytes:
    """Doubles an image `turns` times: a constant, the number of images, of the data, or nothing."""
    onnx = pytest.importorskip("onnx", reason="the package onnx, which makes the files, is missing")
    helper, types = onnx.helper, onnx.TensorProto
    value, node = helper.make_tensor_value_info, helper.make_node
    number, flag = value("turn", types.INT64, []), value("go", types.BOOL, [])
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Add", ["x", "x"], ["y"])],
        "body",
        [number, flag, value("x", types.FLOAT, None)],
        [value("on", types.BOOL, []), value("y", types.FLOAT, None)],
    )
    loop = node("Loop", [turns, "yes", "flat"], ["logits"], body=body)
    if is_inside:
        parts = [value("logits", types.FLOAT, None)]
        graph = helper.make_graph([loop], "branch", [], parts)
        loop = node("If", ["yes"], ["answer"], then_branch=graph, else_branch=graph)
    numbers = {"yes": np.array(True), "first": np.array(0), "three": np.array(3)}
    numbers["far"] = np.array(2**63 - 1)
    graph = helper.make_graph(
        [
            node("Flatten", ["image"], ["flat"]),
            node("Shape", ["image"], ["shape"]),
            node("Gather", ["shape", "first"], ["images"]),
            node("ReduceSum", ["image"], ["sum"], keepdims=0),
            node("Cast", ["sum"], ["data"], to=types.INT64),
            node("Constant", [], ["five"], value_int=5),
            loop,
        ],
        "network",
        [value("image", types.FLOAT, ["n", 3, 2, 2])],
        [value("answer" if is_inside else "logits", types.FLOAT, ["n", 12])],
        [onnx.numpy_helper.from_array(array, name) for name, array in numbers.items()],
    )
    opset = helper.make_opsetid("", 17)
    content: bytes = helper.make_model(
        graph, opset_imports=[opset], ir_version=8
    ).SerializeToString()
    return content


def test_onnx_files(tmp_path: Path) -> None:
    for turns in ("three", "five", "images"):
        check_onnx_loops(onnx_file(turns), "it")
    for turns in ("", "far", "data"):
        for is_inside in (False, True):
            with pytest.raises(TeacherError, match=f"it {REFUSED}"):
                check_onnx_loops(onnx_file(turns, is_inside=is_inside), "it")
    pytest.importorskip("onnxruntime", reason="onnxruntime, which opens them, is missing")
    path = tmp_path / "it.onnx"
    path.write_bytes(onnx_file("three"))
    assert ONNX().open(path, ()).run(np.ones((1, 2, 2, 3), np.float32))[0].tolist() == [[8.0] * 12]
    path.write_bytes(onnx_file("far"))
    with pytest.raises(TeacherError, match=REFUSED):
        ONNX().open(path, ())
