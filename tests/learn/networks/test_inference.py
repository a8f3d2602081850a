"""The compiled forward pass."""

from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.backend import tf
from kdtasks.learn.networks import inference
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.inference import ForwardPass, images_per_pass

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 8, 8, 1), dtype=np.uint8)


def test_logits_of_every_exit_in_batches_of_any_size(tmp_path: Path):
    network = CNN(filters=(3, 4), dropout=0.5)
    model = build(network, input_shape=(8, 8, 1), num_classes=5, exits=["block_1"])
    expected = [logits.numpy() for logits in model.logits(tf.cast(IMAGES, tf.float32))]
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for batch_size in (1, 4, 11, 256):
        logits = ForwardPass(model, batch_size=batch_size).logits(mapped)
        assert [one.shape for one in logits] == [(11, 5), (11, 5)]
        for one, other in zip(logits, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        answers = ForwardPass(model, batch_size=batch_size).classes(mapped)
        for one, other in zip(answers, logits, strict=True):
            np.testing.assert_array_equal(one, other.argmax(axis=-1))


def test_large_images_come_in_small_batches():
    for side, expected in ((32, 256), (128, 128), (1024, 2), (2048, 1)):
        found = images_per_pass((side, side, 3), most=256, pixels=2**21)
        assert found == expected


def test_a_gpu_is_given_more_at_a_time(monkeypatch: pytest.MonkeyPatch):
    model = build(CNN(filters=(3,)), input_shape=(8, 8, 1), num_classes=2)
    assert ForwardPass(model)._size == 256
    monkeypatch.setattr(inference, "has_gpu", lambda: True)
    assert ForwardPass(model)._size == 2048


def test_it_follows_the_weights_as_they_change():
    model = build(CNN(filters=(3,)), input_shape=(8, 8, 1), num_classes=2)
    predictor = ForwardPass(model)
    (before,) = predictor.logits(IMAGES)
    model.network.get_layer("exit_0_logits").bias.assign([5.0, 7.0])
    (after,) = predictor.logits(IMAGES)
    np.testing.assert_allclose(after - before, np.tile([5.0, 7.0], (11, 1)), atol=1e-5)
