"""A small file may compute for very long: it is ended as those of other formats are."""

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers import isolated

SHAPE = (1, 1024, 1024, 3)


def write_chain(path: Path, length: int) -> None:
    """Write a `.tflite` that negates an image so many times."""
    code, graph, model = schema.OperatorCodeT(), schema.SubGraphT(), schema.ModelT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.NEG
    graph.tensors, graph.operators = [], []
    for _ in range(length + 1):
        tensor = schema.TensorT()
        tensor.shape = np.array(SHAPE, np.int32)
        graph.tensors.append(tensor)
    for number in range(length):
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = np.array([[number], [number + 1]], np.int32)
        graph.operators.append(operator)
    graph.inputs, graph.outputs = np.array([[0], [length]], np.int32)
    model.version, model.buffers = 3, [schema.BufferT()]
    model.operatorCodes, model.subgraphs = [code], [graph]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())


def test_a_very_long_litert_file_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    image = np.ones(SHAPE, np.float32)
    write_chain(tmp_path / "short.tflite", 3)
    write_chain(tmp_path / "long.tflite", 3000)
    np.testing.assert_array_equal(
        isolated.open_isolated(tmp_path / "short.tflite").run(image)[0], -image
    )
    monkeypatch.setattr(isolated, "PATIENCE", 0.5)
    monkeypatch.setattr(isolated, "BYTES", 1e9)
    opened = isolated.open_isolated(tmp_path / "long.tflite")
    with pytest.raises(TeacherError, match=r"did not answer 1 images within 0\.\d+ s of computing"):
        opened.run(image)
