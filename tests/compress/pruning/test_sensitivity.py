"""What single layers are worth: measured one at a time, and the network is put back."""

import numpy as np
import pytest

from kdtasks.core.errors import Refused
from kdtasks.tasks.confusion import accuracy


def test_layers_are_silenced_one_at_a_time(build_network, make_fine_tuning, outputs):
    from kdtasks.compress.pruning.channels import Channels
    from kdtasks.compress.pruning.removal import remove_channels
    from kdtasks.compress.pruning.sensitivity import sensitivity

    model = build_network("cnn_average")  # without running statistics
    fine_tuning = make_fine_tuning(model)
    images, _ = fine_tuning.validation
    head = model.network.get_layer("exit_1_logits")
    kernel, bias = head.get_weights()
    # Centred logits, or one class would always win.
    head.set_weights([kernel, bias - outputs(model, images)[-1].mean(axis=0)])
    labels = outputs(model, images)[-1].argmax(axis=-1)
    before = model.network.get_weights()
    found = sensitivity(
        model, rank="l1", examples=fine_tuning.examples, validation=(images, labels), ratios=(0.5,)
    )
    assert (found.rows, found.accuracy) == (80, 1.0)
    names = ["block_1_1_conv", "block_1_2_conv", "block_2_1_conv", "block_2_2_conv"]
    assert list(found.layers) == names
    for one, other in zip(before, model.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    channels = Channels(model.network)
    for name in names:
        kernel = np.abs(model.network.get_layer(name).get_weights()[0])
        norms = kernel.reshape(-1, kernel.shape[-1]).sum(axis=0)
        smallest = channels.produced_by(name)[np.argsort(norms)[: len(norms) // 2]]
        smaller = remove_channels(model, channels, smallest.tolist())
        predicted = outputs(smaller, images)[-1].argmax(axis=-1)
        expected = round(accuracy(predicted, labels), 6)
        assert found.layers[name] == {"filters": len(norms), "0.5": pytest.approx(expected)}
    assert min(figures["0.5"] for figures in found.layers.values()) < 1.0


def test_masks_count_where_they_are_labelled(build_network, make_fine_tuning, outputs):
    from kdtasks.compress.pruning.sensitivity import sensitivity

    model = build_network("unet_plain")
    fine_tuning = make_fine_tuning(model)
    images, labels = fine_tuning.validation
    found = sensitivity(
        model,
        rank="taylor",
        examples=fine_tuning.examples,
        validation=(images, labels),
        ratios=(0.5,),
        ignore_label=255,
    )
    answers = outputs(model, images)[-1].argmax(axis=-1)
    expected = (answers == labels)[labels != 255].mean()
    assert found.accuracy == pytest.approx(expected, abs=1e-6)
    # Skips are makers like all others: both halves of every concatenation are there.
    assert {"down_0_2_conv", "up_2_0_conv", "down_2_1_conv"} < set(found.layers)


def test_tied_layers_are_one(build_network, make_fine_tuning):
    from kdtasks.compress.pruning.sensitivity import sensitivity

    model = build_network("composite")
    fine_tuning = make_fine_tuning(model)
    found = sensitivity(
        model, rank="l1", examples=fine_tuning.examples, validation=fine_tuning.validation
    )
    assert set(found.layers) == {"left+over", "right+over", "up"}
    assert all(set(f) == {"filters", "0.25", "0.5", "0.75"} for f in found.layers.values())


def test_a_network_that_cannot_be_followed_says_why(make_fine_tuning):
    from kdtasks.compress.pruning.sensitivity import sensitivity
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    image = keras.Input((4, 4, 1))
    tensor = keras.layers.Conv2D(2, 1, name="conv")(image)
    tensor = keras.layers.Maximum(name="gate")([tensor, tensor])
    model = MultiExitModel(keras.Model(image, keras.layers.Flatten()(tensor)))
    fine_tuning = make_fine_tuning(model)
    with pytest.raises(Refused, match="layer 'gate' is a Maximum"):
        sensitivity(
            model, rank="l1", examples=fine_tuning.examples, validation=fine_tuning.validation
        )
