from collections.abc import Callable

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.data.checks import (
    exclude_absent_classes,
    exclude_contradictions,
    exclude_leaks,
    refuse_unusable,
)
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams


def test_training_images_of_the_official_test_set_are_left_out(
    tiny_dataset: Callable[..., RawDataset],
) -> None:
    given = np.array([""] * 4 + ["test"] * 2)
    dataset = tiny_dataset([0, 1, 0, 1, 0, 1], given=given)
    dataset.images[2] = dataset.images[4]
    kept = exclude_leaks(dataset)
    assert tuple(kept.origins) == ("row[0]", "row[1]", "row[3]", "row[4]", "row[5]")
    assert kept.given is not None
    assert kept.given.tolist() == [""] * 3 + ["test"] * 2
    assert kept.problems == ()
    assert kept.excluded == (Problem("row[2]", "the same image as row[4] of the given test set"),)


def test_of_equal_images_in_given_splits_the_last_split_keeps_its_own(
    tiny_dataset: Callable[..., RawDataset],
) -> None:
    given = np.array(["", "train", "validation", "validation", "train"])
    dataset = tiny_dataset([0, 1, 0, 1, 0], given=given)
    dataset.images[:4] = dataset.images[0]
    kept = exclude_leaks(dataset)
    assert tuple(kept.origins) == ("row[2]", "row[3]", "row[4]")
    assert {item.problem for item in kept.excluded} == {
        "the same image as row[2] of the given validation set"
    }


def test_duplicates_within_the_official_test_set_stay(
    tiny_dataset: Callable[..., RawDataset],
) -> None:
    dataset = tiny_dataset([0, 1, 0, 0], given=np.array(["", "", "test", "test"]))
    dataset.images[3] = dataset.images[2]
    assert len(exclude_leaks(dataset)) == 4


def test_contradictions_are_left_out_as_problems(tiny_dataset: Callable[..., RawDataset]) -> None:
    dataset = tiny_dataset([0, 1, 0, 1])
    dataset.images[1] = dataset.images[0]
    kept = exclude_contradictions(dataset)
    assert tuple(kept.origins) == ("row[2]", "row[3]")
    assert [item.path for item in kept.problems] == ["row[0]", "row[1]"]


def test_absent_classes_are_left_out_and_labels_renumbered(
    tiny_dataset: Callable[..., RawDataset],
) -> None:
    dataset = exclude_absent_classes(tiny_dataset([0, 2, 2, 3]))
    assert dataset.class_names == ("class_0", "class_2", "class_3")
    assert dataset.labels.tolist() == [0, 1, 1, 2]
    assert dataset.labels.dtype == np.int32
    assert dataset.problems == (Problem("class class_1", "occurs in no usable image"),)


def test_problems_are_let_pass_with_skip_only(
    tiny_dataset: Callable[..., RawDataset], data_params: Callable[..., DataParams]
) -> None:
    dataset = tiny_dataset([0, 1], problems=(Problem("a.png", "not an image"),))
    refuse_unusable(dataset, data_params("digits", on_bad="skip"))
    with pytest.raises(DatasetError, match=r"digits has 1 problem; .*\n  a\.png: not an image$"):
        refuse_unusable(dataset, data_params("digits"))
