"""The average of the weights, worked by hand and replayed from the weights after every step."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.backend import seed_everything, tf
from kdtasks.learn.networks.build import build
from kdtasks.learn.training.average import WeightAverage
from kdtasks.learn.training.checkpoint import Checkpoint
from kdtasks.learn.training.loop import TrainingSchedule
from kdtasks.learn.training.run import exit_scores
from kdtasks.learn.training.step import OptimizerParams
from tests.learn.training.conftest import NETWORK


def test_two_steps_by_hand():
    kernel, steps = tf.Variable([2.0, 8.0]), tf.Variable(0, dtype=tf.int64)
    average = WeightAverage([kernel], 0.2, steps)
    # d = min(0.2, (1 + t) / (10 + t)): 2/11 after step 1, and 0.2, as 3/12 is more, after step 2.
    for weights in ([13.0, 8.0], [5.0, 3.0]):
        steps.assign_add(1)
        kernel.assign(weights)
        average.update()
    # 2/11 · 2 + 9/11 · 13 = 11, then 0.2 · 11 + 0.8 · 5 = 6.2; 8, then 0.2 · 8 + 0.8 · 3 = 4.
    np.testing.assert_allclose(average.state[0], [6.2, 4.0], rtol=1e-6)
    np.testing.assert_array_equal(kernel, [5.0, 3.0])
    average.install()
    np.testing.assert_allclose(kernel, [6.2, 4.0], rtol=1e-6)


def test_weights_come_back_also_after_a_failure():
    kernel, steps = tf.Variable([2.0]), tf.Variable(1, dtype=tf.int64)
    average = WeightAverage([kernel], 0.9, steps)
    kernel.assign([4.0])
    with average.installed():
        np.testing.assert_array_equal(kernel, [2.0])
    np.testing.assert_array_equal(kernel, [4.0])

    def fail() -> None:
        with average.installed():
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        fail()
    np.testing.assert_array_equal(kernel, [4.0])


def test_whole_numbers_are_not_averaged_and_without_a_decay_nothing_is():
    kernel, count, steps = (tf.Variable(value) for value in ([2.0], [3], 1))
    assert len(WeightAverage([kernel, count], 0.9, steps).state) == 1
    average = WeightAverage([kernel, count], None, steps)
    kernel.assign([4.0])
    average.update()
    average.install()
    assert average.state == []
    np.testing.assert_array_equal(kernel, [4.0])


def averaged(schedule: TrainingSchedule, decay: float | None) -> TrainingSchedule:
    """One step an epoch, so that a checkpoint holds the weights of every step."""
    optimizer = OptimizerParams(ema_decay=decay)
    params = schedule.params.model_copy(update={"optimizer": optimizer, "batch_size": 50})
    return dataclasses.replace(schedule, params=params)


def test_a_training_ends_with_the_average_of_its_steps(
    run: Callable[..., Any],
    schedule: TrainingSchedule,
    validation: tuple[np.ndarray, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    kept: list[list[np.ndarray]] = []
    monkeypatch.setattr(Checkpoint, "save", lambda self, state: kept.append(state.arrays))
    decay, checkpoint = 0.3, Checkpoint(tmp_path / "run.npz", settings=[])
    trained = run(schedule=averaged(schedule, decay), checkpoint=checkpoint)
    names = [weight.name for weight in trained.model.network.weights]
    assert any("moving_variance" in name for name in names)
    seed_everything(schedule.seed)
    start = build(NETWORK, input_shape=(8, 8, 1), num_classes=3, exits=["block_1"])
    expected = start.network.get_weights()
    for step, arrays in enumerate(kept, start=1):
        d = min(decay, (1 + step) / (10 + step))
        for index in range(len(names)):
            expected[index] = d * expected[index] + (1 - d) * arrays[index]
    weights = trained.model.network.get_weights()
    for name, found, value, last in zip(names, weights, expected, kept[-1], strict=False):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6, err_msg=name)
        assert not np.array_equal(found, last), name
    # What was validated last are these weights.
    accuracy = exit_scores(trained.model, *validation).accuracy[-1]
    assert trained.history[-1]["validation_accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_averaging_changes_what_is_validated_and_not_what_is_trained(
    run: Callable[..., Any], schedule: TrainingSchedule
):
    last, mean = (run(schedule=averaged(schedule, decay)).history for decay in (None, 0.9))
    for name in ("loss", "accuracy"):
        assert [record[name] for record in last] == [record[name] for record in mean]
    losses = [[record["validation_loss"] for record in history] for history in (last, mean)]
    assert losses[0] != losses[1]
