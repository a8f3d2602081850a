from collections.abc import Callable

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.checks import (
    leave_out_absent_classes,
    leave_out_contradictions,
    leave_out_leaks,
    refuse_unusable,
)
from kdtasks.data.settings import DataParams
from kdtasks.data.source import Problem, Source


def test_training_pictures_of_the_official_test_set_are_left_out(
    tiny_source: Callable[..., Source],
) -> None:
    is_test = np.array([False] * 4 + [True] * 2)
    source = tiny_source([0, 1, 0, 1, 0, 1], official_test=is_test)
    source.images[2] = source.images[4]
    kept = leave_out_leaks(source)
    assert kept.origins == ("row[0]", "row[1]", "row[3]", "row[4]", "row[5]")
    assert kept.official_test is not None
    assert kept.official_test.tolist() == [False, False, False, True, True]
    assert kept.problems == ()
    assert kept.left_out == (
        Problem("row[2]", "the same picture as row[4] of the official test set"),
    )


def test_duplicates_within_the_official_test_set_stay(tiny_source: Callable[..., Source]) -> None:
    source = tiny_source([0, 1, 0, 0], official_test=np.array([False, False, True, True]))
    source.images[3] = source.images[2]
    assert len(leave_out_leaks(source)) == 4


@pytest.mark.parametrize(("are_problems", "left"), [(False, 4), (True, 2)])
def test_contradictions_of_official_datasets_stay(
    tiny_source: Callable[..., Source], are_problems: bool, left: int
) -> None:
    source = tiny_source([0, 1, 0, 1], contradictions_are_problems=are_problems)
    source.images[1] = source.images[0]
    assert len(leave_out_contradictions(source)) == left


def test_absent_classes_are_left_out_and_labels_renumbered(
    tiny_source: Callable[..., Source],
) -> None:
    source = leave_out_absent_classes(tiny_source([0, 2, 2, 3]))
    assert source.class_names == ("class_0", "class_2", "class_3")
    assert source.labels.tolist() == [0, 1, 1, 2]
    assert source.labels.dtype == np.int32
    assert source.problems == (Problem("class class_1", "occurs in no usable picture"),)


def test_problems_are_let_pass_with_skip_only(
    tiny_source: Callable[..., Source], data_params: Callable[..., DataParams]
) -> None:
    source = tiny_source([0, 1], problems=(Problem("a.png", "not a picture"),))
    refuse_unusable(source, data_params("digits", on_bad="skip"))
    with pytest.raises(DatasetError, match=r"digits has 1 problem; .*\n  a\.png: not a picture$"):
        refuse_unusable(source, data_params("digits"))
