"""Which labels students see."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.errors import DatasetError
from kdtasks.data.labels import (
    choose_labelled,
    count_labels,
    open_labelled,
    training_set,
    write_labelled,
)
from kdtasks.data.prepared import PreparedDataset
from tests.tools.datasets import dataset_of

LABELS = np.repeat(np.arange(3, dtype=np.int32), [60, 30, 10])
IMAGES = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
DATASET = dataset_of(IMAGES, LABELS, num_classes=3)
MASKS = np.zeros((12, 2, 2), np.uint8)
# 12 patches of 4 photos
PATCHES = dataset_of(IMAGES[:12], MASKS, num_classes=2, groups=np.arange(12) // 3)


def test_all_are_seen_unless_a_number_is_given():
    np.testing.assert_array_equal(choose_labelled(DATASET, None, seed=0), np.arange(100))


@pytest.mark.parametrize("dataset", [DATASET, PATCHES])
def test_with_0_none_are_seen(dataset: PreparedDataset):
    rows = choose_labelled(dataset, 0, seed=0)
    counts = count_labels(dataset, rows, unlabelled=tuple("abcde"))
    assert (counts.train, set(counts.by_class.values()), counts.unlabelled) == (0, {0}, 5)
    training = training_set(dataset, IMAGES[:0], rows)
    assert training.has_hidden_labels
    assert (np.asarray(training.labels) == training.ignore_label).all()


@given(number=st.integers(3, 100), seed=st.integers(0, 5))
def test_the_sample_is_stratified_and_seeded(number: int, seed: int):
    rows = choose_labelled(DATASET, number, seed=seed)
    assert len(np.unique(rows)) == number
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, choose_labelled(DATASET, number, seed=seed))
    counts = np.bincount(LABELS[rows], minlength=3)
    assert (counts >= 1).all()
    # a class is off its part by less than one, or gave one to a class that had none
    assert (np.abs(counts - number * np.array([0.6, 0.3, 0.1])) < 2).all()


def test_fewer_labels_are_among_more_of_the_same_seed():
    few, many = (choose_labelled(DATASET, number, seed=2) for number in (20, 50))
    assert np.isin(few, many).all()
    assert not np.array_equal(few, choose_labelled(DATASET, 20, seed=3))


def test_of_masks_whole_photos_are_counted():
    rows = choose_labelled(PATCHES, 2, seed=0)
    assert len(rows) == 6
    assert (np.bincount(rows // 3) % 3 == 0).all()


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (2, r"data\.train_labels is 2, at least 3 are needed"),
        (101, r"data\.train_labels is 101, the training split has 100; lower it, or set it to"),
    ],
)
def test_impossible_numbers_are_refused(number: int, message: str):
    with pytest.raises(DatasetError, match=message):
        choose_labelled(DATASET, number, seed=0)


def test_hidden_labels_are_nowhere_in_the_training_set():
    rows = np.array([0, 70, 95])
    unlabelled = np.full((2, 1, 1, 1), 200, np.uint8)
    training = training_set(DATASET, unlabelled, rows)
    assert len(training) == 102
    assert (training.has_hidden_labels, training.no_label, training.ignore_label) == (True, -1, -1)
    np.testing.assert_array_equal(training.images[100:], unlabelled)
    np.testing.assert_array_equal(training.labels[rows], [0, 1, 2])
    assert (np.delete(training.labels, rows) == -1).all()


def test_with_every_label_the_training_set_is_the_split_itself():
    training = training_set(DATASET, IMAGES[:0])
    assert training.images is DATASET.images("train")
    assert training.labels is DATASET.labels("train")
    assert (training.has_hidden_labels, training.ignore_label) == (False, None)


def test_pixels_of_hidden_masks_bear_a_label_that_is_no_class():
    training = training_set(PATCHES, IMAGES[:0], np.arange(3))
    assert training.labels.dtype == np.uint8
    assert (training.labels[3:] == 255).all()
    assert training.ignore_label == 255


def test_labels_are_counted_for_the_page():
    names = [f"unlabelled/photo[{number}].jpg" for number in range(3)]
    patches = [f"{name}[0:2, {left}:{left + 2}]" for name in names for left in (0, 2)]
    counts = count_labels(PATCHES, np.arange(6), unlabelled=patches)
    assert (counts.train, counts.hidden, counts.unlabelled) == (2, 2, 3)
    assert counts.by_class == {"0": 24, "1": 0}  # pixels
    assert (counts.validation, counts.calibration) == (0, 0)


def test_brackets_in_names_of_whole_images_are_no_patches():
    names = ["unlabelled/photo[1].jpg", "unlabelled/photo[2].jpg"]
    assert count_labels(DATASET, np.arange(3), unlabelled=names).unlabelled == 2


def test_rows_are_read_as_they_were_written(tmp_path: Path):
    write_labelled(tmp_path / "labelled.npy", np.array([1, 5, 9]))
    np.testing.assert_array_equal(open_labelled(tmp_path / "labelled.npy"), [1, 5, 9])
    with pytest.raises(DatasetError, match=r"cannot be read .* run `dvc repro labels`"):
        open_labelled(tmp_path / "nothing.npy")
