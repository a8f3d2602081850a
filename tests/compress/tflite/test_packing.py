"""A packed file is smaller and says the same."""

import numpy as np
import pytest

from kdtasks.compress.tflite.editing import deduplicate_tables

# The converter says so of every int8 file, and means the ranges of a format of long ago.
pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")


def plain_file() -> bytes:
    """An int8 file as the converter leaves it: two kernels of 16 filters each."""
    from kdtasks.core.backend import keras, tf

    keras.backend.clear_session()
    image = keras.Input((8, 8, 3), batch_size=1)
    tensor = keras.layers.Conv2D(16, 3, name="first")(image)
    tensor = keras.layers.Conv2D(16, 3, name="second")(keras.layers.ReLU()(tensor))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, tensor))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    draw = np.random.default_rng(0)
    converter.representative_dataset = lambda: (
        [draw.random((1, 8, 8, 3), np.float32)] for _ in range(3)
    )
    return bytes(converter.convert())


def contents(value):
    """Everything in an object of the format's schema, as plain values."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tolist()
    if isinstance(value, list):
        return [contents(one) for one in value]
    if hasattr(value, "__dict__"):
        return {name: contents(one) for name, one in vars(value).items()}
    return value


def test_equal_vectors_and_names_are_in_the_file_once_and_nothing_is_lost():
    from ai_edge_litert import schema_py_generated as schema

    content = plain_file()
    packed = deduplicate_tables(content)
    before, after = (contents(schema.ModelT.InitFromPackedBuf(one, 0)) for one in (content, packed))
    assert after == before
    assert packed[4:8] == content[4:8] == b"TFL3"
    # Of the zero points of two kernels and two biases, 8 · 16 bytes each, one row is left.
    assert len(packed) <= len(content) - 3 * 8 * 16
    assert deduplicate_tables(packed) == packed


def test_tensors_inside_are_named_by_their_layers(converted):
    from ai_edge_litert import schema_py_generated as schema

    content = converted("two_branch", "int8")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    names = [
        tensor.name.decode()
        for graph in model.subgraphs
        for number, tensor in enumerate(graph.tensors)
        if number not in [*graph.inputs, *graph.outputs]
    ]
    assert not [name for name in names if "/" in name or ";" in name]
    # kernel, bias and result
    assert names.count("stem_conv") == 3
    # every name is in the file once
    assert content.count(b"stem_conv") == content.count(b"coarse_1_project_conv") == 1


def test_weights_begin_where_a_mapped_file_can_be_computed_with():
    from ai_edge_litert import schema_py_generated as schema

    packed = deduplicate_tables(plain_file())
    model = schema.Model.GetRootAs(packed, 0)
    kernels = 0
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength() < 16 * 27:
            continue
        start = packed.index(buffer.DataAsNumpy().tobytes())
        assert start % 16 == 0
        kernels += 1
    assert kernels == 2


def test_a_file_with_its_weights_outside_the_tables_stays_as_it_is():
    from tensorflow.lite.python import schema_py_generated as schema

    from kdtasks.compress.tflite.editing import write_model

    model = schema.ModelT.InitFromPackedBuf(plain_file(), 0)
    model.buffers[-1].offset, model.buffers[-1].size = 4096, 16
    content = write_model(model)
    assert deduplicate_tables(content) is content
