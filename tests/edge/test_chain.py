"""LiteRT's own memory is read and written without a runner, and gives what its runner gives."""

from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import BundleError
from kdtasks.edge.chain import SignatureChain
from kdtasks.edge.interpreter import open_interpreter
from kdtasks.edge.segments import Segments

ALEXNET = Path(__file__).parents[2] / "results" / "brevis-alexnet" / "int8.tflite"
KEYS = [f"segment_{k}" for k in range(3)]


def runners_logits(content, image):
    """The logits of every segment by LiteRT's public runners, as the file has them."""
    interpreter = open_interpreter(content)
    tensors, logits = {"image": image[None]}, []
    for key in KEYS:
        runner = interpreter.get_signature_runner(key)
        tensors |= runner(**{name: tensors[name] for name in runner.get_input_details()})
        logits.append(tensors.pop("logits")[0])
    return logits


@pytest.mark.parametrize("form", ["float32", "int8"])
def test_every_bit_is_that_of_litert_s_runner(network, form):
    content = getattr(network, form)
    chain = SignatureChain(open_interpreter(content), KEYS)
    for image in network.images[:8]:  # the skip from the first segment to the last among them
        taken = image.astype(np.float32) if form == "float32" else image ^ 0x80
        chain.image[...] = taken
        found = [chain.run(k).copy() for k in range(3)]
        expected = runners_logits(content, taken if form == "float32" else taken.view(np.int8))
        assert [one.tobytes() for one in found] == [one.tobytes() for one in expected]
    assert chain._moving == {}


def test_tensors_that_move_are_looked_for_after_every_run(network):
    chain = SignatureChain(open_interpreter(network.float32), KEYS)
    before = chain._moving[0]
    chain._moving[0] = before - {max(before)}  # as if a tensor had come into being
    views = []
    for value in (1.0, 2.0):
        chain.image[...] = value
        views.append(chain.run(0))
        assert 0 in chain._moving
    assert views[0] is not views[1]


def test_a_segment_that_fails_is_named(network):
    chain = SignatureChain(open_interpreter(network.float32), KEYS)
    chain._graphs[1] = 99
    chain.run(0)
    with pytest.raises(BundleError, match=r"LiteRT cannot run segment_1 of the model \(.*fetch or"):
        chain.run(1)


def one_by_one(segments, images):
    return np.stack([segments.logits(image) for image in images])


def test_many_at_once_are_those_one_by_one():
    segments = Segments(ALEXNET)
    images = np.random.default_rng(0).integers(0, 256, (27, *segments.input_shape), np.uint8)
    assert segments.logits_of(images).tobytes() == one_by_one(segments, images).tobytes()
    assert segments._many is not None


def test_one_other_bit_forbids_many_at_once(monkeypatch):
    run = SignatureChain.run

    def a_step_off(chain, index):
        logits = run(chain, index)
        return logits if logits.ndim == 1 else logits ^ 1

    monkeypatch.setattr(SignatureChain, "run", a_step_off)
    segments = Segments(ALEXNET)
    images = np.random.default_rng(0).integers(0, 256, (16, *segments.input_shape), np.uint8)
    assert segments.logits_of(images).tobytes() == one_by_one(segments, images).tobytes()
    assert segments._many is None


def test_a_file_for_one_image_alone_runs_one_by_one(network, capfd):
    segments = Segments(network.int8)  # reshapes to [1, 30]
    found = segments.logits_of(network.images)
    assert found.tobytes() == one_by_one(segments, network.images).tobytes()
    assert segments._many is None
    assert capfd.readouterr().err == ""
