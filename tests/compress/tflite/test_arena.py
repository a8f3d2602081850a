import os
import sys

import numpy as np
import pytest

from kdtasks.compress.tflite import arena
from kdtasks.compress.tflite.arena import feature_offsets, measure_arenas, split_signatures
from kdtasks.compress.tflite.graph import Graph, Tensor, read_graphs
from kdtasks.core.errors import BundleError
from kdtasks.edge.segments import Segments


@pytest.fixture(scope="module")
def runtime():
    return pytest.importorskip("tflite_micro", reason="pip install tflite-micro").runtime


def test_an_arena_is_as_large_as_is_said(runtime, int8_content):
    arenas, parts = measure_arenas(int8_content), split_signatures(int8_content)
    assert sorted(arenas) == ["segment_0", "segment_1"]
    for name, found in arenas.items():
        assert found.total >= found.scratch + found.kept
        assert found.file == len(parts[name])
        runtime.Interpreter.from_bytes(parts[name], arena_size=found.total)
        with pytest.raises(RuntimeError, match="failed to allocate tensors"):
            runtime.Interpreter.from_bytes(parts[name], arena_size=found.total - 64)


def test_a_microcontroller_gives_the_same_logits(runtime, int8_content, trained):
    """Segment by segment, the features handed on as they are; two steps of the logits at most."""
    segments, parts = Segments(int8_content), split_signatures(int8_content)
    graphs = read_graphs(int8_content)
    micro = [runtime.Interpreter.from_bytes(parts[graph.signature]) for graph in graphs]
    for image in trained.images[:20]:
        tensors = {"image": (image ^ 0x80).view(np.int8)[None]}
        for k, (graph, interpreter) in enumerate(zip(graphs, micro, strict=True)):
            # The names of a signature are gone: tensors have the order of the graph.
            for place, name in enumerate(graph.inputs):
                interpreter.set_input(tensors[name], place)
            interpreter.invoke()
            shapes = {graph.tensors[n].shape: name for name, n in graph.outputs.items()}
            for place in range(len(graph.outputs)):
                output = interpreter.get_output(place)
                tensors[shapes[output.shape]] = output.copy()
            logits = segments.decoders[k](tensors.pop("logits")[0])
            step = segments.logits_specs[k].scale
            assert np.abs(logits - segments.logits(image)[k]).max() <= 2.01 * step


def ends_below(part, size):
    """As `_opens`, but a size that is no multiple of 128 ends the process."""
    if size % 128:
        os._exit(11)
    return True


def ends_always(part, size):
    os._exit(11)


def test_arenas_that_are_too_small_may_end_a_process(monkeypatch):
    """With some sizes the interpreter does not say so, it crashes."""
    monkeypatch.setattr(arena, "_opens", ends_below)
    assert arena._smallest("segment_0", b"", 1_008) == 1_024
    monkeypatch.setattr(arena, "_opens", ends_always)
    monkeypatch.setattr(arena, "_MOST_ENDS", 2)
    with pytest.raises(BundleError, match=r"arena of segment_0 cannot be found: .* 1,008 bytes"):
        arena._smallest("segment_0", b"", 1_008)


def test_a_network_whose_arenas_are_hard_to_find(runtime, converted):
    content = converted("cnn", "int8")
    parts = split_signatures(content)
    for name, found in measure_arenas(content).items():
        runtime.Interpreter.from_bytes(parts[name], arena_size=found.total)


def test_what_it_cannot_run_is_named(runtime, trained):
    """Weights in int8 beside floats: LiteRT has kernels for both at once, this one has none."""
    from kdtasks.compress.convert import convert

    content = convert(trained.model, number_format="dynamic_int8")
    with pytest.raises(BundleError, match=r"Micro cannot run segment_0 \(.*FLOAT32.*in int8"):
        measure_arenas(content)


def test_without_the_package_it_is_named(int8_content, monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    message = r"tflite_micro, which measures arenas, is missing.* pip install tflite-micro"
    with pytest.raises(BundleError, match=message):
        measure_arenas(int8_content)


def test_places_of_features_are_used_again():
    """`b` may lie where `a` was, since the third segment does not take `a`; `c` is never taken."""
    sizes = {"image": 64, "a": 100, "b": 60, "c": 9, "logits": 2}
    tensors = tuple(
        Tensor(name, (size,), "int8", 1.0, 0, 1, size, None) for name, size in sizes.items()
    )

    numbers = {name: place for place, name in enumerate(sizes)}

    def graph(takes, gives):
        inputs, outputs = ({name: numbers[name] for name in names} for names in (takes, gives))
        return Graph("", inputs, outputs, (), tensors)

    first, last = graph(["image"], ["a", "logits"]), graph(["b"], ["c", "logits"])
    assert feature_offsets([first, graph(["a"], ["b", "logits"]), last]) == ({"a": 0, "b": 0}, 100)
    both = graph(["a", "b"], ["logits"])
    assert feature_offsets([first, graph(["a"], ["b"]), both]) == ({"a": 0, "b": 100}, 160)
    assert feature_offsets([graph(["image"], ["logits"])]) == ({}, 0)
