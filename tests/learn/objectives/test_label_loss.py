"""Sums of losses of the labels, and weights of classes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import ParamsError
from kdtasks.core.records.data import SplitCounts
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.losses.labels import LabelLoss
from kdtasks.learn.losses.labels.cross_entropy import CrossEntropy
from kdtasks.learn.losses.labels.dice import Dice
from kdtasks.learn.losses.labels.focal import Focal
from kdtasks.learn.objectives.objective import (
    LabelLossParams,
    LabelLossSum,
    balanced_weights,
    make_label_loss,
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
    loss = LabelLossSum(255, LabelLossParams().terms)(LOGITS, LABELS)
    assert float(loss) == float(CrossEntropy()(LOGITS, LABELS, ignore_label=255))


def test_losses_are_added_with_their_weights():
    terms = (CrossEntropy(weight=0.5), Dice(weight=2.0), Focal(gamma=3.0))
    weights = (1.0, 2.0, 0.5)
    found = LabelLossSum(255, terms, weights)(LOGITS, LABELS)
    losses = [term(LOGITS, LABELS, ignore_label=255, class_weights=weights) for term in terms]
    assert float(found) == pytest.approx(float(np.dot([0.5, 2.0, 1.0], losses)), rel=1e-6)


def test_weighted_cross_entropy_by_hand():
    # −ln 3/4 with weight 1 and −ln 4/5 with weight 3.
    logits = np.log([[3.0, 1.0], [1.0, 4.0], [7.0, 7.0]]).astype(np.float32)
    found = CrossEntropy()(logits, [0, 1, 255], ignore_label=255, class_weights=(1.0, 3.0))
    assert float(found) == pytest.approx((0.287682 + 3 * 0.223144) / 4, rel=1e-5)


def test_balanced_weights_make_every_class_weigh_the_same():
    assert balanced_weights([60, 10, 50]) == pytest.approx((2 / 3, 4.0, 0.8))
    # A split by images may leave a class to the other splits.
    assert balanced_weights([60, 0, 20]) == pytest.approx((2 / 3, 0.0, 2.0))
    loss = make_label_loss(LabelLossParams(), DATASET, balance="weights")
    assert loss.class_weights == pytest.approx((2 / 3, 4.0, 0.8))
    assert loss.ignore_label == 255


def test_weights_by_name_are_put_in_the_order_of_the_classes():
    given = {"water": 3.0, "road": 1.0, "roof": 2.0}
    loss = make_label_loss(LabelLossParams(), DATASET, balance=given)
    assert loss.class_weights == (1.0, 2.0, 3.0)
    for balance in ("none", "sampling"):
        loss = make_label_loss(LabelLossParams(), DATASET, balance=balance)
        assert loss.class_weights is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"roads": 1.0}, r"names 'roads', .+ its classes: road, roof, water; did you mean 'road'"),
        ({"road": 1.0, "water": 2.0}, "lacks roof; give every class a weight"),
    ],
)
def test_weights_of_other_classes_are_refused(given: dict[str, float], message: str):
    with pytest.raises(ParamsError, match=message):
        make_label_loss(LabelLossParams(), DATASET, balance=given)


def test_a_project_adds_a_loss(extended: Callable[[str, str], str]):
    extension = '''
        """The squared distance of the label's logit from 1."""

        from typing import Literal

        import numpy as np

        from kdtasks.learn.losses.labels import LabelLoss, label_losses


        @label_losses.register
        class OneLogit(LabelLoss):
            """The mean of (1 − z)², z the logit of the label."""

            name: Literal["one_logit"] = "one_logit"

            def __call__(self, logits, labels, *, ignore_label=None, class_weights=None):
                return np.mean((1.0 - np.take_along_axis(logits, labels[:, None], axis=-1)) ** 2)
    '''
    script = """
        import numpy as np
        from kdtasks.learn.objectives.objective import LabelLossParams, LabelLossSum

        params = LabelLossParams.model_validate({"terms": [{"name": "one_logit", "weight": 0.5}]})
        loss = LabelLossSum(terms=params.terms)
        print(loss(np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([0, 1])))
    """
    assert extended(extension, script).split() == ["1.0"]


# Probabilities 1/4, 3/4 and 1/5, 4/5.
PAIRS = np.log([[1.0, 3.0], [1.0, 4.0]]).astype(np.float32)


def test_both_labels_of_a_mixed_image_count_by_hand():
    mixture = (np.array([1, 1]), np.array([0.75, 1.0], np.float32))
    found = LabelLossSum()(PAIRS, np.array([0, 1]), mixture)
    # 0.75 · ln 4 + 0.25 · ln 4/3, and ln 5/4
    rows = (0.75 * 1.386294 + 0.25 * 0.287682, 0.223144)
    assert float(found) == pytest.approx(sum(rows) / 2, rel=1e-5)
    weighted = LabelLossSum(class_weights=(2.0, 1.0))(PAIRS, np.array([0, 1]), mixture)
    rows = (2 * 0.75 * 1.386294 + 0.25 * 0.287682, 0.223144)
    assert float(weighted) == pytest.approx(sum(rows) / (1.5 + 0.25 + 1.0), rel=1e-5)


def test_a_part_without_a_label_counts_for_nothing():
    mixture = (np.array([1, -1]), np.array([0.75, 0.5], np.float32))
    found = LabelLossSum()(PAIRS, np.array([-1, 1]), mixture)
    # 0.25 · ln 4/3 and 0.5 · ln 5/4 over what weight is left.
    assert float(found) == pytest.approx((0.25 * 0.287682 + 0.5 * 0.223144) / 0.75, rel=1e-5)


@pytest.mark.parametrize("term", [CrossEntropy(), Dice(), Focal(gamma=3.0)], ids=lambda x: x.name)
def test_a_whole_image_costs_what_it_costs_without_a_partner(term: LabelLoss):
    logits, labels = LOGITS.reshape(-1, 3), np.arange(40) % 3
    whole, none = np.ones(40, np.float32), np.zeros(40, np.float32)
    weights = (1.0, 2.0, 0.5)
    loss = LabelLossSum(terms=(term,), class_weights=weights)
    expected = pytest.approx(float(loss(logits, labels)), rel=1e-5)
    assert float(loss(logits, labels, ((labels + 1) % 3, whole))) == expected
    assert float(loss(logits, (labels + 1) % 3, (labels, none))) == expected
