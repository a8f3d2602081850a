"""Sums of losses of the labels, and weights of classes."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import ParamsError
from kdtasks.core.records.data import SplitCounts
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.losses.labels.cross_entropy import cross_entropy
from kdtasks.learn.losses.labels.dice import dice
from kdtasks.learn.losses.labels.focal import focal
from kdtasks.learn.objectives.objective import (
    LabelLoss,
    LabelLossParams,
    balanced_weights,
    label_loss_of,
)

DRAW = np.random.default_rng(3)
LOGITS = DRAW.normal(size=(2, 4, 5, 3)).astype(np.float32)
LABELS = np.where(DRAW.random((2, 4, 5)) < 0.3, 255, DRAW.integers(0, 3, (2, 4, 5)))
DATASET = PreparedDataset(
    folder=Path(),
    name="photos",
    task="segmentation",
    class_names=("road", "roof", "water"),
    image_shape=(4, 5, 3),
    ignore_label=255,
    counts={"train": SplitCounts(total=2, by_class={"roof": 10, "road": 60, "water": 50})},
)


def test_cross_entropy_is_what_labels_teach_by_default():
    loss = LabelLoss(255)(LOGITS, LABELS)
    assert float(loss) == float(cross_entropy(LOGITS, LABELS, 255))


def test_losses_are_added_with_their_weights():
    params = LabelLossParams(cross_entropy=0.5, dice=2.0, focal=1.0, focal_gamma=3.0)
    weights = (1.0, 2.0, 0.5)
    found = LabelLoss(255, params, weights)(LOGITS, LABELS)
    rest = (LABELS, 255, weights)
    expected = (
        0.5 * cross_entropy(LOGITS, *rest)
        + 2.0 * dice(LOGITS, *rest)
        + focal(LOGITS, *rest, gamma=3.0)
    )
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


def test_weighted_cross_entropy_by_hand():
    # −ln 3/4 with weight 1 and −ln 4/5 with weight 3.
    logits = np.log([[3.0, 1.0], [1.0, 4.0], [7.0, 7.0]]).astype(np.float32)
    found = cross_entropy(logits, [0, 1, 255], 255, (1.0, 3.0))
    assert float(found) == pytest.approx((0.287682 + 3 * 0.223144) / 4, rel=1e-5)


def test_balanced_weights_make_every_class_weigh_the_same():
    assert balanced_weights([60, 10, 50]) == pytest.approx((2 / 3, 4.0, 0.8))
    # A split by pictures may leave a class to the other splits.
    assert balanced_weights([60, 0, 20]) == pytest.approx((2 / 3, 0.0, 2.0))
    loss = label_loss_of(LabelLossParams(class_weights="balanced"), DATASET)
    assert loss.class_weights == pytest.approx((2 / 3, 4.0, 0.8))
    assert loss.ignore_label == 255


def test_weights_by_name_are_put_in_the_order_of_the_classes():
    given = {"water": 3.0, "road": 1.0, "roof": 2.0}
    loss = label_loss_of(LabelLossParams(class_weights=given), DATASET)
    assert loss.class_weights == (1.0, 2.0, 3.0)
    assert label_loss_of(LabelLossParams(), DATASET).class_weights is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"roads": 1.0}, r"names 'roads', .+ its classes: road, roof, water; did you mean 'road'"),
        ({"road": 1.0, "water": 2.0}, "leaves out roof; give every class a weight"),
    ],
)
def test_weights_of_other_classes_are_refused(given: dict[str, float], message: str):
    with pytest.raises(ParamsError, match=message):
        label_loss_of(LabelLossParams(class_weights=given), dataclasses.replace(DATASET))
