"""Names of folders and images: their order, their encodings, and what looks alike."""

import json
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.raw_dataset import RawDataset
from tests.data.sources.conftest import tree

Photos = Callable[..., Path]


@pytest.fixture
def load(load_source: Callable[..., RawDataset]) -> Callable[..., RawDataset]:
    return partial(load_source, "image_folder")


def test_classes_come_in_the_order_that_is_asked_for(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root = photos(*tree("ape", "bear", "cat", each=1))
    dataset = load(root, classes=["cat", "ape", "bear"])
    assert dataset.class_names == ("cat", "ape", "bear")
    assert dict(zip(dataset.origins, dataset.labels.tolist(), strict=True)) == {
        "ape/0.png": 1,
        "bear/0.png": 2,
        "cat/0.png": 0,
    }


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("names.txt", "cat\nwolf\nape\n"),
        ("names.json", json.dumps(["cat", "wolf", "ape"])),
        ("names.json", json.dumps({"0": "cat", "1": "wolf", "10": "ape"})),
        ("names.json", json.dumps({"ape": 2, "cat": 0, "wolf": 1})),
    ],
)
def test_classes_come_in_the_order_of_a_file(
    file: str, content: str, photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root = photos(*tree("ape", "cat"))
    (root / file).write_text(content, encoding="utf-8")
    dataset = load(root, classes=file)
    assert dataset.class_names == ("cat", "ape")
    assert dataset.problems == ()
    (root / file).write_text("{" if file.endswith("json") else "ape\nape2", encoding="utf-8")
    if file.endswith("json"):
        with pytest.raises(DatasetError, match=r"source\.classes: .* cannot be read as a list"):
            load(root, classes=file)


def test_a_class_that_has_no_folder_and_a_folder_that_is_no_class_are_told(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    with pytest.raises(DatasetError, match="has 2 problems") as info:
        load(photos(*tree("cat", "dog", "wolf")), classes=["cat", "dgo", "wolf"])
    assert "class dgo: in source.classes, but there is no such folder" in str(info.value)
    assert "dog: no class that source.classes names; did you mean 'dgo'?" in str(info.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Dog", "dog "), ("dog", "dog "), ("caf\u00e9", "cafe\u0301"), ("Straße", "STRASSE")],
)
def test_classes_that_look_like_one_are_refused(
    one: str, other: str, photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root = photos(*tree(one, other))
    if len(list(root.iterdir())) < 2:
        pytest.skip("this file system takes both names for one")
    with pytest.raises(DatasetError, match="would be two classes that look like one; give both"):
        load(root, on_bad="skip")


def test_encodings_of_one_name_are_spelled_out(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root = photos(*tree("caf\u00e9", "cafe\u0301"))
    if len(list(root.iterdir())) < 2:
        pytest.skip("this file system takes both names for one")
    with pytest.raises(DatasetError, match=r"'cafe\\u0301' and 'caf\\xe9'"):
        load(root)


def test_a_class_of_two_splits_is_one_whatever_its_encoding(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    composed, pieces = "caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9")
    root = photos(*tree(f"train/{composed}", "train/bar", f"test/{pieces}", "test/bar "))
    dataset = load(root)
    assert dataset.class_names == ("bar", composed)
    assert Counter(dataset.labels.tolist()) == {0: 12, 1: 12}
    assert f"test/{composed}/0.png" in dataset.origins
    with pytest.raises(DatasetError, match=r"'Bar' and 'bar ' would be two classes"):
        load(photos("test/Bar/7.png"))


def test_images_whose_names_differ_in_encoding_alone_are_told(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root = photos(*tree("a", "b"), "a/\u00e9.png", "a/e\u0301.png")
    if len(list((root / "a").iterdir())) < 8:
        pytest.skip("this file system takes both names for one")
    with pytest.raises(DatasetError, match="named like another but for its accents' encoding"):
        load(root)


def test_spaces_emoji_and_upper_case_endings_are_names_like_any(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root = photos("big cats/first one.PNG", "big cats/2.JPG", "🐶/🦴 1.Png", "🐶/2.JPEG")
    dataset = load(root)
    assert dataset.class_names == ("big cats", "🐶")
    assert "🐶/🦴 1.Png" in dataset.origins
    assert dataset.problems == ()
