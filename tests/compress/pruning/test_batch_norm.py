"""Running statistics measured anew."""

import numpy as np
import pytest


def test_statistics_become_the_mean_over_the_batches(make_fine_tuning):
    from kdtasks.compress.pruning.removal import reestimate_batch_norm
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    image = keras.Input((3, 2, 1), name="image")
    tensor = keras.layers.BatchNormalization(momentum=0.99, name="first")(image)
    tensor = keras.layers.Rescaling(2.0, offset=3.0, name="double")(tensor)
    tensor = keras.layers.BatchNormalization(momentum=0.9, name="second")(tensor)
    network = keras.Model(image, keras.layers.Flatten(name="flat")(tensor))
    model = MultiExitModel(network)
    examples = make_fine_tuning(model).examples
    reestimate_batch_norm(model, examples)
    pixels = examples.images[0].astype(np.float64)
    mean, variance = network.get_layer("first").get_weights()[2:]
    assert mean == pytest.approx(pixels.mean(), rel=1e-5)
    # The variance of a batch is that of a sample, as in training.
    assert variance == pytest.approx(pixels.var(ddof=1), rel=1e-3)
    mean, variance = network.get_layer("second").get_weights()[2:]
    assert mean == pytest.approx(3.0, abs=1e-3)
    assert variance == pytest.approx(4.0, rel=1e-2)
    assert [network.get_layer(name).momentum for name in ("first", "second")] == [0.99, 0.9]


def test_several_batches_weigh_the_same(make_fine_tuning, monkeypatch):
    from kdtasks.compress.pruning import removal
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    monkeypatch.setattr(removal, "_BATCH", 16)
    image = keras.Input((3, 2, 1), name="image")
    tensor = keras.layers.BatchNormalization(name="norm")(image)
    model = MultiExitModel(keras.Model(image, keras.layers.Flatten(name="flat")(tensor)))
    examples = make_fine_tuning(model).examples  # 80 images: five batches
    removal.reestimate_batch_norm(model, examples)
    mean = model.network.get_layer("norm").get_weights()[2]
    assert mean == pytest.approx(examples.images[0].mean(), rel=1e-5)


def test_a_network_without_statistics_is_left_alone(build_network, make_fine_tuning):
    from kdtasks.compress.pruning.removal import reestimate_batch_norm

    model = build_network("cnn_average")
    before = model.network.get_weights()
    reestimate_batch_norm(model, make_fine_tuning(model).examples)
    after = model.network.get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
