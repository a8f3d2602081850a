"""How folders of images are nested: found out, said, and decided by hand."""

import json
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import load_dataset, write_prepared
from kdtasks.data.prepared import NAMES
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset

Photos = Callable[..., Path]


@pytest.fixture
def load(data_params: Callable[..., DataParams]) -> Callable[..., RawDataset]:
    """Load a folder; keys that are no field of the source are those of `data`."""

    def read(folder: Path, **keys: Any) -> RawDataset:
        of_source = {key: keys.pop(key) for key in ("layout", "divided", "classes") if key in keys}
        source: dict[str, Any] = {"name": "image_folder"} | of_source
        return load_dataset(data_params(source, path=str(folder), image_size=[8, 8], **keys))

    return read


@pytest.fixture
def dealt(data_params: Callable[..., DataParams]) -> Callable[[RawDataset], dict[str, set[str]]]:
    """Split a dataset, and give the outermost folders that the images of each split are from."""

    def split(dataset: RawDataset) -> dict[str, set[str]]:
        rows = split_dataset(dataset, data_params("digits").split, seed=0)
        return {
            name: {dataset.origins[row].partition("/")[0] for row in own}
            for name, own in rows.items()
        }

    return split


def tree(*folders: str, each: int = 6) -> list[str]:
    return [f"{folder}/{number}.png" for folder in folders for number in range(each)]


def test_one_folder_a_class_is_said(photos: Photos, load: Callable[..., RawDataset]) -> None:
    dataset = load(photos(*tree("cats", "dogs")))
    assert dataset.notes[0] == "layout: one folder a class"
    assert dataset.given is None


@pytest.mark.parametrize(
    "names",
    [("train", "val", "test"), ("Training", "Valid", "TESTING"), ("train_set", "dev", "test-set")],
)
def test_given_splits_are_kept_and_calibration_is_taken_out_of_train(
    names: tuple[str, str, str],
    photos: Photos,
    load: Callable[..., RawDataset],
    dealt: Callable[[RawDataset], dict[str, set[str]]],
) -> None:
    dataset = load(photos(*tree(*(f"{name}/{kind}" for name in names for kind in ("cat", "dog")))))
    train, validation, test = names
    assert dataset.class_names == ("cat", "dog")
    assert dataset.notes[0] == (
        "layout: folders of splits, and in each one folder a class; validation and test kept as "
        "given; calibration taken out of train"
    )
    assert dealt(dataset) == {
        "train": {train},
        "validation": {validation},
        "calibration": {train},
        "test": {test},
    }


def test_calibration_can_be_taken_out_of_validation(
    photos: Photos,
    load: Callable[..., RawDataset],
    dealt: Callable[[RawDataset], dict[str, set[str]]],
) -> None:
    kinds = [f"{split}/{kind}" for split in ("train", "val", "test") for kind in ("cat", "dog")]
    dataset = load(photos(*tree(*kinds)), divided="validation")
    assert dataset.notes[0].endswith("train and test kept as given; calibration taken out of "
                                       "validation")  # fmt: skip
    assert dealt(dataset) == {
        "train": {"train"},
        "validation": {"val"},
        "calibration": {"val"},
        "test": {"test"},
    }


def test_without_a_validation_folder_it_is_taken_out_of_train_too(
    photos: Photos,
    load: Callable[..., RawDataset],
    dealt: Callable[[RawDataset], dict[str, set[str]]],
) -> None:
    dataset = load(photos(*tree("train/a", "train/b", "test/a", "test/b")))
    assert dataset.notes[0].endswith("test kept as given; validation and calibration taken out "
                                       "of train")  # fmt: skip
    assert dealt(dataset)["validation"] == dealt(dataset)["calibration"] == {"train"}
    assert dealt(dataset)["test"] == {"test"}


def test_four_given_splits_are_all_kept(
    photos: Photos,
    load: Callable[..., RawDataset],
    dealt: Callable[[RawDataset], dict[str, set[str]]],
) -> None:
    splits = ("train", "validation", "calibration", "test")
    dataset = load(photos(*tree(*(f"{split}/{kind}" for split in splits for kind in "ab"), each=2)))
    assert dataset.notes[0].endswith("all four splits are kept as given")
    assert dealt(dataset) == {split: {split} for split in splits}


def test_splits_inside_the_class_folders_are_kept(
    photos: Photos, load: Callable[..., RawDataset], data_params: Callable[..., DataParams]
) -> None:
    dataset = load(photos(*tree("cat/train", "cat/test", "dog/train", "dog/test")))
    assert dataset.class_names == ("cat", "dog")
    rows = split_dataset(dataset, data_params("digits").split, seed=0)
    assert {dataset.origins[row].split("/")[1] for row in rows["test"]} == {"test"}
    assert {dataset.origins[row].split("/")[1] for row in rows["train"]} == {"train"}


def test_an_image_of_train_that_is_in_test_too_is_left_out(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root = photos(*tree("train/a", "train/b", "test/a", "test/b"))
    (root / "train/a/copy.png").write_bytes((root / "test/a/0.png").read_bytes())
    (found,) = load(root).excluded
    assert found.path == "train/a/copy.png"
    assert found.problem == "the same image as test/a/0.png of the given test set"


def test_what_is_named_like_splits_can_be_classes(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    names = tree("train/left", "train/right", "test/left")
    dataset = load(photos(*names), layout="class")
    assert dataset.class_names == ("test", "train")
    assert dataset.given is None
    # `train` beside what is no split is a class anyway, such as of vehicles
    vehicles = load(photos(*tree("train", "car", "bus"), root="vehicles"))
    assert vehicles.class_names == ("bus", "car", "train")


def test_flat_splits_are_refused_in_one_sentence(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root = photos(*tree("train", "test"))
    with pytest.raises(DatasetError, match="test and train hold images, but no folders of classes"):
        load(root)
    with pytest.raises(DatasetError, match=r"as test/cats/0\.png, or list the classes in a table"):
        load(root, on_bad="skip")


def test_one_flat_split_is_told_where_it_belongs(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root = photos(*tree("train/a", "train/b", each=8), *tree("test"))
    with pytest.raises(DatasetError, match=r"test: no folders of classes in it, only images such"):
        load(root)
    dataset = load(root, on_bad="skip")
    assert len(dataset) == 16
    assert [found.path for found in dataset.problems] == ["test"]


def test_images_without_any_folder_are_refused(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    with pytest.raises(DatasetError, match="holds files, but no folders; put each image into"):
        load(photos("1.png", "2.png"))


def test_folders_in_class_folders_are_read_and_lone_folders_around_them_are_passed(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    names = ("cats/1.png", "cats/persian/2.png", "cats/persian/old/3.png", "dogs/4.png")
    root = photos(*(f"archive/images/{name}" for name in names))
    dataset = load(root)
    assert dataset.class_names == ("cats", "dogs")
    assert dataset.labels.tolist() == [0, 0, 0, 1]
    assert dataset.notes[0] == "layout: one folder a class, in archive/images"


def test_what_systems_leave_behind_is_passed_over(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root = photos(*tree("train/a", "train/b", "test/a", "test/b"))
    junk = ("Thumbs.db", ".DS_Store", "train/.DS_Store", "train/a/Thumbs.db", "test/desktop.ini")
    for name in (*junk, "__MACOSX/train/a/._0.png", "train/a/._0.png", "train/__MACOSX/x.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"junk")
    dataset = load(root)
    assert len(dataset) == 24
    assert dataset.problems == ()


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


def test_the_layout_is_in_the_record(
    photos: Photos,
    load: Callable[..., RawDataset],
    data_params: Callable[..., DataParams],
    tmp_path: Path,
) -> None:
    dataset = load(photos(*tree("train/a", "train/b", "test/a", "test/b")))
    section = data_params("image_folder", image_size=[8, 8])
    split = split_dataset(dataset, section.split, seed=0)
    write_prepared(tmp_path / "prepared", dataset, split, section)
    record = json.loads((tmp_path / "prepared" / "dataset.json").read_text())
    assert record["notes"] == list(dataset.notes)
    assert record["split_by"].startswith("class, beside the given test set")
    names = json.loads((tmp_path / "prepared" / NAMES).read_text())
    assert np.all([name.startswith("test/") for name in names["test"]])


def test_a_linked_class_folder_is_read_and_a_broken_one_told(
    photos: Photos, load: Callable[..., RawDataset]
) -> None:
    root, disk = photos(*tree("cats")), photos(*tree("dogs"), root="disk")
    (root / "dogs").symlink_to(disk / "dogs")
    assert load(root).class_names == ("cats", "dogs")
    (root / "wolves").symlink_to("/nowhere/wolves")
    with pytest.raises(
        DatasetError, match="wolves: a link to /nowhere/wolves, which does not exist"
    ):
        load(root)
