"""The objective weighs labels and teacher, and counts every exit alike."""

import numpy as np
import pytest

from kdtasks.distillation.losses import cross_entropy, kd
from kdtasks.distillation.objective import distillation_objective, label_objective

DRAW = np.random.default_rng(5)
EXITS = [DRAW.normal(size=(6, 4)).astype(np.float32) * scale for scale in (1, 5, 25)]
TEACHER = DRAW.normal(size=(6, 4)).astype(np.float32)
LABELS = DRAW.integers(0, 4, 6)


def test_labels_alone_are_the_mean_over_exits():
    expected = np.mean([float(cross_entropy(logits, LABELS)) for logits in EXITS])
    assert float(label_objective()(EXITS, LABELS, TEACHER)) == pytest.approx(expected, rel=1e-6)


def test_alpha_1_is_the_labels_alone():
    objective = distillation_objective(alpha=1.0, temperature=3.0)
    expected = float(label_objective()(EXITS, LABELS, TEACHER))
    assert float(objective(EXITS, LABELS, TEACHER)) == pytest.approx(expected, rel=1e-6)


def test_alpha_0_is_the_teacher_alone():
    objective = distillation_objective(alpha=0.0, temperature=3.0)
    expected = np.mean([float(kd(logits, TEACHER, 3.0)) for logits in EXITS])
    assert float(objective(EXITS, LABELS, TEACHER)) == pytest.approx(expected, rel=1e-6)
    other_labels = (LABELS + 1) % 4
    assert float(objective(EXITS, other_labels, TEACHER)) == pytest.approx(expected, rel=1e-6)


def test_alpha_between_weighs_labels_with_alpha():
    objective = distillation_objective(alpha=0.3, temperature=2.0)
    label, teacher = float(cross_entropy(EXITS[0], LABELS)), float(kd(EXITS[0], TEACHER, 2.0))
    assert float(objective(EXITS[:1], LABELS, TEACHER)) == pytest.approx(
        0.3 * label + 0.7 * teacher, rel=1e-6
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_all_exits_count_alike(order: tuple[int, int, int]):
    objective = distillation_objective(alpha=0.4, temperature=2.0)
    single = [float(objective([logits], LABELS, TEACHER)) for logits in EXITS]
    assert max(single) > 2 * min(single)
    together = float(objective([EXITS[index] for index in order], LABELS, TEACHER))
    assert together == pytest.approx(np.mean(single), rel=1e-6)


def test_ignored_pixels_count_for_the_teacher_only():
    logits, teacher = DRAW.normal(size=(2, 1, 3, 3, 4)).astype(np.float32)
    labels = np.full((1, 3, 3), 255, np.uint8)
    labels[0, 0, 0] = 2
    objective = distillation_objective(alpha=0.5, temperature=2.0, ignore_label=255)
    expected = 0.5 * float(cross_entropy(logits[:, 0, 0], [2])) + 0.5 * float(
        kd(logits, teacher, 2.0)
    )
    assert float(objective([logits], labels, teacher)) == pytest.approx(expected, rel=1e-6)
    assert float(label_objective(255)([logits], labels, teacher)) == pytest.approx(
        float(cross_entropy(logits[:, 0, 0], [2])), rel=1e-6
    )


def test_an_unknown_loss_is_refused():
    with pytest.raises(KeyError, match="kdd"):
        distillation_objective(alpha=0.5, temperature=2.0, loss="kdd")
