"""Schedules and hints in training: compiled once, followed, and no part of the student."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import ModelError, TrainingError
from kdtasks.learn.objectives.distillation import DistillationObjective, DistillParams
from kdtasks.learn.objectives.hints import HintParams
from kdtasks.learn.objectives.objective import Step
from kdtasks.learn.schedules.linear import Linear
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.loop import TrainingSchedule

Run = Callable[..., Any]


def test_a_schedule_is_compiled_no_more_often_than_a_constant(
    run: Run, monkeypatch: pytest.MonkeyPatch
):
    traced = []
    objective_of_a_step = DistillationObjective.__call__

    def counted(self: DistillationObjective, step: Step) -> Any:
        traced.append(1)
        return objective_of_a_step(self, step)

    monkeypatch.setattr(DistillationObjective, "__call__", counted)
    counts = []
    schedule = Linear(start=0.0, end=1.0)
    for alpha in (0.5, schedule):
        history = run(objective=DistillationObjective(DistillParams(alpha=alpha))).history
        counts.append(len(traced))
        traced.clear()
    assert counts[0] == counts[1]
    assert [record["alpha"] for record in history] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def test_the_loss_follows_the_schedule(run: Run, schedule: TrainingSchedule):
    # Labels alone from the first epoch to the last: alpha 1 → 1 is the constant 1, bit for bit.
    constant = run(objective=DistillationObjective(DistillParams(alpha=1.0)))
    identity = Linear(start=1.0, end=1.0)
    assert run(objective=DistillationObjective(DistillParams(alpha=identity))).weights == (
        constant.weights
    )
    moving = Linear(start=1.0, end=0.0)
    assert run(objective=DistillationObjective(DistillParams(alpha=moving))).weights != (
        constant.weights
    )


def test_hints_train_the_student_and_leave_no_weights_behind(
    run: Run, schedule: TrainingSchedule, hinting: TrainingExamples
):
    # Four channels to five by a projection that starts at random; the teacher's are the brightness.
    brightness = hinting.images.reshape(2, 50, 4, 2, 4, 2).mean(axis=(3, 5)) / 100
    features = np.repeat(brightness[..., np.newaxis], 5, axis=-1).astype(np.float16)
    bright = dataclasses.replace(hinting, teacher_features=(features,))
    hint = HintParams(student="block_1", teacher="features", weight=50.0)
    with_hint, without = (
        run(
            schedule=dataclasses.replace(schedule, epochs=15),
            examples=bright,
            objective=DistillationObjective(DistillParams(alpha=1.0, hints=hints)),
        )
        for hints in ((hint,), ())
    )
    first, last = with_hint.history[0]["loss"], with_hint.history[-1]["loss"]
    assert first > 10 * without.history[0]["loss"]
    assert last < first / 3
    assert with_hint.weights != without.weights
    assert len(with_hint.weights) == len(without.weights)


def test_features_that_do_not_fit_a_hint_are_refused(run: Run, examples: TrainingExamples):
    hint = HintParams(student="block_1", teacher="features", weight=1.0)
    odd = dataclasses.replace(examples, teacher_features=(np.zeros((2, 50, 3, 3, 5), np.float16),))
    with pytest.raises(TrainingError, match="is 4×4×4, layer features of the teacher 3×3×5"):
        run(examples=odd, objective=DistillationObjective(DistillParams(hints=(hint,))))


def test_a_hint_of_a_block_that_is_not_there_is_refused(run: Run, hinting: TrainingExamples):
    hint = HintParams(student="block_3", teacher="features", weight=1.0)
    with pytest.raises(ModelError, match=r"no block and no layer 'block_3'; its blocks: block"):
        run(examples=hinting, objective=DistillationObjective(DistillParams(hints=(hint,))))
