"""What nothing needs is gone, and everything else is where it was."""

import numpy as np
import pytest

from kdtasks.compress.passes.space_to_depth import SpaceToDepth
from kdtasks.compress.tflite.editing import remove_unused, write_model
from kdtasks.edge.segments import Segments


def opened(content):
    from tensorflow.lite.python import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(content, 0)


def test_a_file_of_the_converter_keeps_its_answers(int8_content, trained):
    model = opened(int8_content)
    remove_unused(model)
    images = trained.images[:20]
    np.testing.assert_array_equal(
        Segments(write_model(model)).logits_of(images), Segments(int8_content).logits_of(images)
    )


def test_a_tensor_in_front_of_the_others_is_removed_with_its_values(int8_content, trained):
    model = opened(int8_content)
    graph = model.subgraphs[0]
    weights = next(tensor for tensor in graph.tensors if len(tensor.shape) == 4 and tensor.buffer)
    values = model.buffers[weights.buffer].data
    spare = type(weights)()
    vars(spare).update(vars(weights))
    spare.buffer = len(model.buffers)
    buffer = type(model.buffers[0])()
    buffer.data = np.arange(8_000, dtype=np.uint16).view(np.uint8)
    model.buffers.append(buffer)
    shift_by_one(model, graph)
    graph.tensors.insert(0, spare)
    crowded = write_model(model)
    remove_unused(model)
    assert len(graph.tensors) == len(opened(int8_content).subgraphs[0].tensors)
    assert buffer.data is None
    assert model.buffers[weights.buffer].data is values
    tidy = write_model(model)
    assert len(crowded) - len(tidy) > 15_500
    images = trained.images[:20]
    np.testing.assert_array_equal(
        Segments(tidy).logits_of(images), Segments(int8_content).logits_of(images)
    )


def shift_by_one(model, graph):
    for one in (graph, *graph.operators):
        one.inputs, one.outputs = (np.where(n < 0, n, n + 1) for n in (one.inputs, one.outputs))
    for signature in model.signatureDefs:
        if model.subgraphs[signature.subgraphIndex] is graph:
            for entry in (*signature.inputs, *signature.outputs):
                entry.tensorIndex += 1


def test_on_blocks_every_tensor_is_needed_and_a_microcontroller_finds_room(converted):
    content = converted("cnn", "int8")
    for graph in opened(SpaceToDepth().rewrite(content)).subgraphs:
        named = [np.concatenate([one.inputs, one.outputs]) for one in (graph, *graph.operators)]
        assert set(np.concatenate(named)) - {-1} == set(range(len(graph.tensors)))
    pytest.importorskip("tflite_micro", reason="pip install tflite-micro")
    from kdtasks.compress.tflite.arena import measure_arenas

    before, after = measure_arenas(content), measure_arenas(SpaceToDepth().rewrite(content))
    assert after["segment_0"].total < 1.6 * before["segment_0"].total
