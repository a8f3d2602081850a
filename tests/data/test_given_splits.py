from pathlib import Path

import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.given_splits import divide, split_named, splits_of_folders


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("training_set", "train"),
        ("trainval", "train"),
        (" VAL ", "validation"),
        ("valid", "validation"),
        ("dev", "validation"),
        ("eval", "validation"),
        ("testing", "test"),
        ("Test-Images", "test"),
        ("calib", "calibration"),
        ("trains", None),
        ("contest", None),
        ("set", None),
        ("", None),
    ],
)
def test_a_split_is_known_by_what_people_call_it(text: str, split: str | None) -> None:
    assert split_named(text) == split


def test_what_was_given_no_split_joins_the_divided_one() -> None:
    given = ["train", None, "test", "validation"]
    assert divide(given, "train") == (
        [None, None, "test", "validation"],
        "validation and test kept as given; calibration taken out of train",
    )
    assert divide(given, "validation")[0] == ["train", None, "test", None]


def test_nothing_given_and_all_given_stay_as_they_are() -> None:
    assert divide([None, None], "train") == ([None, None], "")
    given = ["train", "validation", "calibration", "test"]
    assert divide(given, "train")[0] == given


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(DatasetError, match="images of validation and test, but none to train on"):
        divide(["test", "validation"], "train")
    with pytest.raises(DatasetError, match="images of test, but none to train on"):
        divide(["test"], "validation")


def test_outermost_folders_tell_splits_where_all_do():
    city = [Path("train/aachen/1.png"), Path("val/bonn/2.png")]
    assert splits_of_folders(city)[0] == [None, "validation"]
    for names in ([*city, Path("3.png")], [Path("val/1.png")], [Path("train/1.png"), Path("a/2")]):
        assert splits_of_folders(names) == ([None] * len(names), "")
