"""How folders of images are nested: found out, said, and decided by hand."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import write_prepared
from kdtasks.data.prepared import NAMES
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset
from tests.data.sources.conftest import tree

Photos = Callable[..., Path]


@pytest.fixture
def load(load_source: Callable[..., RawDataset]) -> Callable[..., RawDataset]:
    return partial(load_source, "image_folder")


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
