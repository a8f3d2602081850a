"""How the losses of the exits become one."""

import numpy as np
import pytest

from kdtasks.core.backend import keras, tf
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.objectives.objective import LabelObjective, Step


@pytest.mark.parametrize(
    ("share", "expected"),
    [(1.0, 3.0), (0.5, 4.5), (0.0, 9.0)],  # 9 over 1 + 2 · share
)
def test_losses_are_added_over_what_the_blocks_below_see(share: float, expected: float):
    step = Step([], tf.zeros(0), tf.zeros(0), exit_gradient=share)
    assert float(step.mean([tf.constant(loss) for loss in (1.0, 2.0, 6.0)])) == expected


def test_with_exits_that_look_on_the_rest_is_trained_as_if_alone():
    keras.utils.set_random_seed(0)
    architecture = CNN(filters=(4, 6, 8))
    model = build(architecture, input_shape=(8, 8, 1), num_classes=3, exits=["block_1", "block_2"])
    images = tf.random.stateless_uniform((6, 8, 8, 1), seed=(1, 2)) * 255
    labels, variables = tf.constant([0, 1, 2, 0, 1, 2]), model.network.trainable_variables
    objective, found = LabelObjective(), {}
    for share, first in ((0.0, 0), (1.0, 2)):  # all exits looking on; the last one by itself
        with tf.GradientTape() as tape:
            exits, _ = model.tapped((), exit_gradient=share)(images, training=True)
            loss = objective(Step(exits[first:], labels, tf.zeros(0), exit_gradient=share))
        found[share] = tape.gradient(loss, variables)
    for variable, looking_on, alone in zip(variables, found[0.0], found[1.0], strict=True):
        if variable.name.startswith(("exit_0", "exit_1")):
            assert alone is None
            assert np.abs(looking_on).max() > 0
        else:
            # sums whose order follows the processor: what cancels leaves the error of the terms
            atol = 1e-5 * np.abs(alone).max()
            np.testing.assert_allclose(looking_on, alone, rtol=1e-4, atol=atol)
