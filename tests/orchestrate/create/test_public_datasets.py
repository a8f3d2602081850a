"""The layouts of five public datasets, as their pages describe them: what `init` finds and says."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.orchestrate.create.images import InspectedImages, inspect_images
from kdtasks.orchestrate.create.project import ProjectInputs, begin
from kdtasks.params import Params, load_project_params
from tests.tools.public_datasets import (
    Painter,
    write_caltech,
    write_cityscapes,
    write_isic,
    write_kaggle,
    write_pets,
)


def source_of(found: InspectedImages) -> dict[str, Any]:
    content = found.source.model_dump(exclude_defaults=True)
    return {"name": found.source.name, **content}


def begun(folder: Path, images: Path, masks: Path | None = None) -> tuple[Params, str]:
    """Begin a project; give its params and all that was said."""
    said = list(begin(folder, ProjectInputs(images, masks)))
    return load_project_params(folder), "\n".join(said)


def test_pets_tell_classes_by_names_beside_their_annotations(tmp_path: Path):
    pets = write_pets(tmp_path / "pets")
    params, said = begun(tmp_path / "breeds", pets)
    assert (params.data.source.name, params.data.path) == ("file_names", "../pets")
    assert params.data.source.model_dump(exclude_defaults=True) == {
        "images": "images",
        "lists": {"train": "annotations/trainval.txt", "test": "annotations/test.txt"},
    }
    assert "), 36 images, 32×32 pixels" in said
    assert "Abyssinian_1.jpg is of Abyssinian" in said
    kept = "test kept as given; validation and calibration taken out of train"
    assert f"splits by annotations/test.txt and annotations/trainval.txt: {kept}" in said
    (pets / "annotations" / "test.txt").unlink()
    found = inspect_images(pets, None, None)
    assert (source_of(found), found.path) == ({"name": "file_names"}, pets / "images")
    assert f"data.path is {pets / 'images'}: nothing beside it holds classes" in found.notes


@pytest.mark.parametrize("where", ["", "."], ids=["absolute", "relative"])
def test_trimaps_of_pets_are_masks(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    pets = write_pets(Path(where or tmp_path) / "pets")
    found = inspect_images(pets / "images", pets / "annotations" / "trimaps", None)
    assert dict(found.source.mask_values) == {"class_1": 1, "class_2": 2, "class_3": 3}
    assert len(found.items) == 36
    assert [problem.path for problem in found.bad] == ["images/Abyssinian_1.mat"]


def test_caltechs_outlines_are_no_class(tmp_path: Path):
    params, said = begun(tmp_path / "objects", write_caltech(tmp_path / "caltech-101"))
    assert params.data.source.name == "image_folder"
    assert params.data.path == "../caltech-101/101_ObjectCategories"
    assert "layout: one folder a class" in said
    assert "3 classes (BACKGROUND_Google, " in said


def test_a_competitions_test_images_are_unlabelled(tmp_path: Path):
    dogs = write_kaggle(tmp_path / "dogs")
    params, said = begun(tmp_path / "breeds", dogs)
    table = inspect_images(dogs, None, None)
    assert source_of(table) == {"name": "table", "file": "train.csv", "images": "train"}
    assert (params.data.path, params.data.unlabelled) == ("../dogs", "../dogs/test")
    assert "image in 'id', label in 'label'" in said
    assert f"no row names an image in {dogs / 'test'}, so it is data.unlabelled" in said
    with pytest.raises(DatasetError, match=r"if train\.csv beside it names them, give "):
        inspect_images(dogs / "train", None, None)


def test_patients_are_groups_and_rare_classes_are_told(tmp_path: Path):
    params, said = begun(tmp_path / "moles", write_isic(tmp_path / "isic"))
    assert params.data.source.model_dump(exclude_defaults=True) == {
        "file": "train.csv",
        "columns": {"group": "patient_id"},
    }
    assert (params.evaluate.metric, params.train.class_balance) == ("balanced_accuracy", "weights")
    assert "label in 'target'" in said
    assert "images of one 'patient_id' stay in one split; set data.source.columns.group to" in said
    assert "classes are uneven, so models are compared by balanced accuracy" in said


def test_cityscapes_keeps_its_splits_and_the_masks_of_labels(tmp_path: Path):
    city = write_cityscapes(tmp_path / "cityscapes")
    params, said = begun(tmp_path / "streets", city / "leftImg8bit", city / "gtFine")
    assert params.data.source.model_dump(exclude_defaults=True) == {
        "mask_suffix": "_gtFine_labelIds",
        "classes": {"class_0": 0, "class_7": 7, "class_11": 11, "class_23": 23},
        "patch_size": 32,
    }
    kept = "validation kept as given; calibration and test taken out of train"
    assert f"folders of splits: {kept}" in said
    items = list(params.data.source.items(tmp_path / "streets" / "data" / "raw"))
    splits = {(Path(item.name).parts[1], item.split) for item in items}  # type: ignore[union-attr]
    assert splits == {("train", None), ("val", "validation")}
    for images in (city, city / "leftImg8bit"):
        with pytest.raises(DatasetError, match=r"seems to hold masks, no class: give `--images "):
            inspect_images(images, None, None)


def test_classes_may_be_called_like_masks(tmp_path: Path):
    paint = Painter(tmp_path)
    for kind, name in enumerate(("with mask", "without mask")):
        for number in range(8):
            paint.photo(f"faces/{name}/{number}.png", kind)
            paint.photo(f"cars/{('bmw', 'gt')[kind]}/{number}.png", kind)
    assert inspect_images(tmp_path / "faces", None, None).class_names == (
        "with mask",
        "without mask",
    )
    with pytest.raises(DatasetError, match="or `--task classification` if it is one"):
        inspect_images(tmp_path / "cars", None, None)
    assert inspect_images(tmp_path / "cars", None, "classification").class_names == ("bmw", "gt")


def test_groups_that_no_split_could_share_stay_a_warning(tmp_path: Path):
    paint = Painter(tmp_path)
    rows = [f"{number}.png,{'ab'[number % 2]},{number % 3}" for number in range(24)]
    for number in range(24):
        paint.photo(f"{number}.png", number % 2)
    paint.text("all.csv", ["image,label,visit", *rows])
    source = inspect_images(tmp_path, None, None).source
    assert source.model_dump(exclude_defaults=True) == {"file": "all.csv"}
    (warning,) = source.warnings(tmp_path)
    assert warning.startswith("column 'visit' looks as if several images were of one visit: 3 for")


def test_masks_beside_a_table_are_no_photos_without_labels(tmp_path: Path):
    paint = Painter(tmp_path)
    for number in range(24):
        paint.photo(f"HAM_images/{number}.png", number % 2)
        paint.mask(f"HAM_segmentations/{number}_segmentation.png", (0, 255))
    rows = [f"{number},{'ab'[number % 2]}" for number in range(24)]
    paint.text("meta.csv", ["image_id,label", *rows])
    found = inspect_images(tmp_path, None, "classification")
    assert found.unlabelled is None
    assert len(found.items) == 24


def test_splits_are_found_in_folders_named_as_macos_spells_them(tmp_path: Path):
    paint = Painter(tmp_path)
    name = unicodedata.normalize("NFD", "Bildér")
    for split, count in (("train", 8), ("val", 4)):
        for number in range(count):
            paint.photo(f"{name}/{split}/{number}.png", number)
            paint.mask(f"masks/{split}/{number}.png", (0, 1))
    found = inspect_images(tmp_path / name, tmp_path / "masks", None)
    assert {item.split for item in found.items} == {None, "validation"}
