"""Epochs in which every class is shown equally often."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.reproducibility import generator
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.online import OnlineExamples
from kdtasks.learn.training.order import balanced_order, order_of
from kdtasks.learn.training.views import AugmentationParams

LABELS = np.array([0] * 7 + [1] * 2 + [-1] * 3, np.int32)


def test_every_class_is_shown_as_often_and_the_unlabelled_as_often_as_before():
    order = balanced_order(LABELS, np.random.default_rng(0))
    shown = np.bincount(LABELS[order] + 1, minlength=3)
    assert shown.sum() == 12
    assert shown[0] == 3
    assert sorted(shown[1:].tolist()) == [4, 5]  # nine labelled images, two classes
    times = np.bincount(order, minlength=12)
    assert times[:7].max() == 1
    assert set(times[7:9].tolist()) <= {2, 3}
    assert times[9:].tolist() == [1, 1, 1]


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=60), st.integers(0, 2**31))
def test_an_epoch_keeps_its_size_and_its_classes(labels: list[int], seed: int):
    given_labels = np.array(labels)
    order = balanced_order(given_labels, np.random.default_rng(seed))
    assert len(order) == len(labels)
    counts = np.bincount(given_labels[order] + 1, minlength=5)
    assert counts[0] == labels.count(-1)
    there = [counts[k + 1] for k in range(4) if k in labels]
    assert not there or max(there) - min(there) <= 1
    of_class = given_labels == given_labels[0]
    times = np.bincount(order, minlength=len(labels))[of_class]
    assert times.max() - times.min() <= 1


def test_images_of_an_even_set_are_shown_once_each():
    order = balanced_order(np.repeat([0, 1, 2], 4), np.random.default_rng(3))
    assert sorted(order.tolist()) == list(range(12))


def test_without_sampling_the_order_is_what_it_was():
    examples = TrainingExamples(np.zeros((1, 12, 2, 2, 1), np.uint8), LABELS[None])
    for balance in ("none", "weights", {"a": 1.0, "b": 2.0}):
        order = order_of(examples, balance, seed=5, epoch=2)
        assert order.tolist() == generator("order", 5, 2).permutation(12).tolist()
    sampled = order_of(examples, "sampling", seed=5, epoch=2)
    assert np.bincount(LABELS[sampled] + 1).tolist()[0] == 3


def test_labels_are_those_that_the_epoch_shows():
    # Two views of three places, whose images differ: epoch e shows place i in view i + e − 1.
    labels = np.array([[0, 1, 2], [3, 4, 5]])
    examples = TrainingExamples(np.zeros((2, 3, 1, 1, 1), np.uint8), labels)
    assert examples.shown_labels(1).tolist() == [0, 4, 2]
    assert examples.shown_labels(2).tolist() == [3, 1, 5]
    online = OnlineExamples(
        np.zeros((2, 1, 1, 1), np.uint8), np.array([7, 8]), AugmentationParams(), 0, epoch_size=3
    )
    assert online.shown_labels(1).tolist() == [7, 8, 7]
    assert online.shown_labels(2).tolist() == [8, 7, 8]
