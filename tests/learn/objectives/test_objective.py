"""The objective weighs labels, teacher, last exit and hints, and counts every exit alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from kdtasks.core.backend import tf
from kdtasks.learn.losses.distillation import DistillationLoss
from kdtasks.learn.losses.distillation.dist import DIST
from kdtasks.learn.losses.distillation.dkd import DKD
from kdtasks.learn.losses.distillation.kd import KD
from kdtasks.learn.losses.labels.cross_entropy import CrossEntropy
from kdtasks.learn.objectives.distillation import (
    DistillationObjective,
    DistillParams,
    ExitTeachingParams,
)
from kdtasks.learn.objectives.hints import HintParams
from kdtasks.learn.objectives.objective import LabelLossSum, LabelObjective, Step
from kdtasks.learn.schedules.linear import Linear


def kd(student: Any, teacher: Any, temperature: float) -> Any:
    return KD()(student, teacher, temperature, labels=None)


DRAW = np.random.default_rng(5)
EXITS = [DRAW.normal(size=(6, 4)).astype(np.float32) * scale for scale in (1, 5, 25)]
TEACHER = DRAW.normal(size=(6, 4)).astype(np.float32)
LABELS = DRAW.integers(0, 4, 6)


def loss_of(
    params: DistillParams,
    exits: Sequence[Any] = EXITS,
    labels: Any = LABELS,
    teacher: Any = TEACHER,
    *,
    ignore_label: int | None = None,
    hints: Any = (),
    epoch: int = 1,
) -> float:
    objective = DistillationObjective(params, LabelLossSum(ignore_label))
    values = objective.epoch_values(epoch=epoch, epochs=10, history=[])
    tensors = {name: tf.constant(value) for name, value in values.items()}
    return float(objective(Step(exits, labels, teacher, tensors, hints)))


def test_labels_alone_are_the_mean_over_exits():
    expected = np.mean([float(CrossEntropy()(logits, LABELS)) for logits in EXITS])
    objective = LabelObjective()
    assert float(objective(Step(EXITS, LABELS, TEACHER))) == pytest.approx(expected, rel=1e-6)
    assert objective.epoch_values(epoch=1, epochs=9, history=[]) == {}
    assert objective.hints == ()


def test_alpha_1_is_the_labels_alone():
    expected = float(LabelObjective()(Step(EXITS, LABELS, TEACHER)))
    assert loss_of(DistillParams(alpha=1.0)) == pytest.approx(expected, rel=1e-6)


def test_alpha_0_is_the_teacher_alone():
    params = DistillParams(alpha=0.0, temperature=3.0)
    expected = np.mean([float(kd(logits, TEACHER, 3.0)) for logits in EXITS])
    assert loss_of(params) == pytest.approx(expected, rel=1e-6)
    assert loss_of(params, labels=(LABELS + 1) % 4) == pytest.approx(expected, rel=1e-6)


def test_alpha_between_weighs_labels_with_alpha():
    label, teacher = float(CrossEntropy()(EXITS[0], LABELS)), float(kd(EXITS[0], TEACHER, 2.0))
    value = loss_of(DistillParams(alpha=0.3, temperature=2.0), EXITS[:1])
    assert value == pytest.approx(0.3 * label + 0.7 * teacher, rel=1e-6)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_all_exits_count_alike(order: tuple[int, ...]):
    params = DistillParams(alpha=0.4, temperature=2.0)
    single = [loss_of(params, [logits]) for logits in EXITS]
    assert max(single) > 2 * min(single)
    together = loss_of(params, [EXITS[index] for index in order])
    assert together == pytest.approx(np.mean(single), rel=1e-6)


def test_alpha_counts_where_there_is_a_label_only():
    logits, teacher = DRAW.normal(size=(2, 1, 3, 3, 4)).astype(np.float32)
    labels = np.full((1, 3, 3), 255, np.uint8)
    labels[0, 0, 0] = 2
    params = DistillParams(alpha=0.5, temperature=2.0)
    # one pixel of nine is labelled: its label weighs alpha / 9, the teacher the rest
    expected = 0.5 / 9 * float(CrossEntropy()(logits[:, 0, 0], [2]))
    expected += (1 - 0.5 / 9) * float(kd(logits, teacher, 2.0))
    assert loss_of(params, [logits], labels, teacher, ignore_label=255) == pytest.approx(
        expected, rel=1e-6
    )
    assert float(
        LabelObjective(LabelLossSum(255))(Step([logits], labels, teacher))
    ) == pytest.approx(float(CrossEntropy()(logits[:, 0, 0], [2])), rel=1e-6)


def test_of_mixed_images_each_label_counts_as_far_as_it_is_seen_and_known():
    loss = LabelLossSum(-1)
    # known whole; three quarters of it known; nothing known
    labels, partners = np.array([0, 1, -1]), np.array([2, -1, -1])
    fractions = np.array([0.5, 0.75, 0.6], np.float32)
    found = float(loss.labelled_fraction(labels, (partners, fractions)))
    assert found == pytest.approx((1 + 0.75 + 0) / 3, rel=1e-6)
    assert float(loss.labelled_fraction(labels)) == pytest.approx(2 / 3, rel=1e-6)


def test_every_exit_learns_from_the_last_as_well():
    params = DistillParams(
        alpha=0.5, temperature=2.0, exits=ExitTeachingParams(teacher=True, last_exit=0.7)
    )
    without = loss_of(DistillParams(alpha=0.5, temperature=2.0))
    added = 0.7 * sum(float(kd(logits, EXITS[-1], 2.0)) for logits in EXITS[:-1]) / 3
    assert added > 0.1
    assert loss_of(params) == pytest.approx(without + added, rel=1e-6)


def test_the_last_exit_is_not_drawn_to_the_early_ones():
    def gradient_of_the_last(last_exit: float) -> np.ndarray:
        params = DistillParams(exits=ExitTeachingParams(teacher=True, last_exit=last_exit))
        objective = DistillationObjective(params)
        values = {"alpha": tf.constant(0.5), "temperature": tf.constant(2.0)}
        exits = [tf.Variable(logits) for logits in EXITS]
        with tf.GradientTape() as tape:
            loss = objective(Step(exits, LABELS, TEACHER, values))
        gradient: np.ndarray = tape.gradient(loss, exits[-1]).numpy()
        return gradient

    np.testing.assert_array_equal(gradient_of_the_last(0.0), gradient_of_the_last(5.0))


def test_early_exits_without_a_teacher_learn_from_the_labels_with_weight_1():
    params = DistillParams(
        alpha=0.0, temperature=2.0, exits=ExitTeachingParams(teacher=False, last_exit=0.0)
    )
    labels = [float(CrossEntropy()(logits, LABELS)) for logits in EXITS[:-1]]
    expected = (sum(labels) + float(kd(EXITS[-1], TEACHER, 2.0))) / 3
    assert loss_of(params) == pytest.approx(expected, rel=1e-6)


def test_hints_add_their_weighted_mean_squared_difference():
    # Differences (1, −1, 2, 0) and (3,): means 6/4 and 9; with weights 2 and 0.5: 3 + 4.5.
    hints = tuple(
        HintParams(student="block_1", teacher=layer, weight=weight)
        for layer, weight in (("a", 2.0), ("b", 0.5))
    )
    features = [
        (np.array([[1, 2], [3, 4]], np.float32), np.array([[0, 3], [1, 4]], np.float32)),
        (np.array([[3]], np.float32), np.array([[0]], np.float32)),
    ]
    with_hints = loss_of(DistillParams(alpha=0.5, hints=hints), hints=features)
    assert with_hints == pytest.approx(loss_of(DistillParams(alpha=0.5)) + 7.5, rel=1e-6)


@pytest.mark.parametrize("loss", [KD(warm_up=0.4), DKD(non_target_weight=2.0, warm_up=0.4)])
def test_a_loss_warms_up(loss: DistillationLoss):
    # 0.4 of 10 epochs: in epoch e the teacher has min(e/4, 1) of its weight.
    params = DistillParams(alpha=0.0, loss=loss)
    values = [loss_of(params, epoch=epoch) for epoch in (1, 2, 4, 5, 10)]
    assert [value / values[-1] for value in values] == pytest.approx([0.25, 0.5, 1, 1, 1])
    cold = DistillParams(alpha=0.0, loss=loss.model_copy(update={"warm_up": 0.0}))
    assert loss_of(cold, epoch=1) == pytest.approx(values[-1], rel=1e-6)


def test_without_a_warm_up_there_is_no_number_of_it():
    assert DKD().warm_up == 0.08
    objective = DistillationObjective(DistillParams(loss=DIST()))
    assert set(objective.epoch_values(epoch=1, epochs=9, history=[])) == {"alpha", "temperature"}


def test_where_there_is_no_label_the_teachers_likeliest_class_is_taken_for_the_true_one():
    logits, teacher = DRAW.normal(size=(2, 3, 4)).astype(np.float32)
    params = DistillParams(alpha=0.0, temperature=2.0, loss=DKD(warm_up=0.0))
    labels = np.array([1, 255, 3], np.uint8)
    known = np.array([1, teacher[1].argmax(), 3])
    expected = float(DKD()(logits, teacher, 2.0, known))
    found = loss_of(params, [logits], labels, teacher, ignore_label=255)
    assert found == pytest.approx(expected, rel=1e-6)


def test_numbers_follow_their_schedules():
    params = DistillParams(alpha=Linear(start=0.0, end=1.0), temperature=3.0)
    objective = DistillationObjective(params)
    assert [objective.epoch_values(epoch=epoch, epochs=5, history=[]) for epoch in (1, 2, 5)] == [
        {"alpha": alpha, "temperature": 3.0} for alpha in (0.0, 0.25, 1.0)
    ]


@pytest.mark.parametrize("loss", [KD(), KD(standardize=True), DKD(), DKD(standardize=True), DIST()])
def test_huge_logits_at_every_exit_have_finite_gradients(loss: DistillationLoss):
    params = DistillParams(loss=loss, exits=ExitTeachingParams(teacher=True, last_exit=1.0))
    objective = DistillationObjective(params)
    values = {
        name: tf.constant(value)
        for name, value in objective.epoch_values(epoch=1, epochs=9, history=[]).items()
    }
    exits = [tf.Variable(np.sign(logits) * np.float32(1e4)) for logits in EXITS]
    with tf.GradientTape() as tape:
        value = objective(Step(exits, LABELS, np.float32(1e4) * TEACHER, values))
    assert np.isfinite(float(value))
    assert all(np.isfinite(gradient.numpy()).all() for gradient in tape.gradient(value, exits))


def test_a_loss_that_wants_a_label_takes_that_of_the_larger_part():
    mixture = ((LABELS + 1) % 4, np.full(6, 0.75, np.float32))
    values = {"alpha": tf.constant(0.0), "temperature": tf.constant(2.0)}
    objective = DistillationObjective(DistillParams(alpha=0.0, temperature=2.0, loss=DKD()))
    mixed = objective(Step(EXITS, LABELS, TEACHER, values, mixture=mixture))
    plain = objective(Step(EXITS, LABELS, TEACHER, values))
    assert float(mixed) == pytest.approx(float(plain), rel=1e-6)
    swapped = objective(Step(EXITS, mixture[0], TEACHER, values))
    assert float(swapped) != pytest.approx(float(plain), rel=1e-3)


@pytest.mark.parametrize("objective", [LabelObjective(), DistillationObjective(DistillParams())])
def test_both_labels_reach_the_loss_of_the_labels(objective: Any):
    partners = (LABELS + 1) % 4
    values = {"alpha": tf.constant(1.0), "temperature": tf.constant(2.0)}

    def loss(labels: Any, mixture: Any = ()) -> float:
        return float(objective(Step(EXITS, labels, TEACHER, values, mixture=mixture)))

    expected = 0.75 * loss(LABELS) + 0.25 * loss(partners)
    mixture = (partners, np.full(6, 0.75, np.float32))
    assert loss(LABELS, mixture) == pytest.approx(expected, rel=1e-5)
