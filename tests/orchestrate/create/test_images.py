"""What is found out about images before a project is begun."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.orchestrate.create.images import inspect_images
from tests.orchestrate.create.conftest import MakePhotos

MakeMasks = Callable[..., Path]


def test_a_folder_of_classes(make_photos: MakePhotos):
    found = inspect_images(make_photos(), None, None)
    assert found.sentence() == "3 classes (blue, green, red), 90 images, 24 to 26 pixels"
    assert found.class_names == ("blue", "green", "red")
    assert (found.source.name, found.side, found.is_grey) == ("image_folder", 24, False)
    assert not found.bad
    assert not found.links


def test_grey_images_and_what_cannot_be_read_are_told(make_photos: MakePhotos):
    photos = make_photos(grey=True)
    (photos / "red" / "broken.jpg").write_bytes(b"no image")
    found = inspect_images(photos, None, None)
    assert found.sentence() == "3 classes (blue, green, red), 90 grey images, 24 to 26 pixels"
    assert [problem.path for problem in found.bad] == ["red/broken.jpg"]


def test_a_table_given_or_found_in_the_folder(make_photos: MakePhotos):
    photos = make_photos()
    rows = [f"{path.relative_to(photos)},{path.stem > '5'}" for path in photos.rglob("*.png")]
    (photos / "labels.csv").write_text("\n".join(["path,label", *rows]))
    for given in (photos, photos / "labels.csv"):
        found = inspect_images(given, None, None)
        assert found.source.model_dump(include={"name", "file"}) == {
            "name": "table",
            "file": "labels.csv",
        }
        assert (found.path, found.class_names) == (photos, ("False", "True"))


def test_names_of_files_tell_classes(make_photos: MakePhotos, tmp_path: Path):
    photos = make_photos()
    for path in list(photos.rglob("*.png")):
        path.rename(photos / f"{path.parent.name}_{path.name}")
    for folder in list(photos.iterdir()):
        if folder.is_dir():
            folder.rmdir()
    assert inspect_images(photos, None, None).source.name == "file_names"


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([0, 1], {"background": 0, "object": 1}),
        ([0, 255], {"background": 0, "object": 255}),
        ([0, 1, 2, 255], {"class_0": 0, "class_1": 1, "class_2": 2}),
        (
            [(0, 0, 0), (60, 16, 152)],
            {"colour_000000": "#000000", "colour_3C1098": "#3C1098"},
        ),
    ],
)
def test_masks_name_their_values(
    values: list[int], classes: dict[str, object], make_masks: MakeMasks
):
    scenes = make_masks(values)
    apart = inspect_images(scenes / "images", scenes / "masks", None)
    together = inspect_images(scenes, None, "segmentation")
    for found in (apart, together):
        assert dict(found.source.mask_values) == classes
        assert len(found.items) == 8
        assert found.sentence().endswith("8 images, 40×40 pixels, each with a mask")
    assert apart.links == {"images": scenes / "images", "masks": scenes / "masks"}
    assert not together.links


def test_what_cannot_be_learnt_from_is_refused(
    make_photos: MakePhotos, make_masks: MakeMasks, tmp_path: Path
):
    photos, scenes = make_photos(), make_masks([7])
    (tmp_path / "bare").mkdir()
    (photos / "red" / "0.png").rename(tmp_path / "bare" / "one.png")
    few = make_photos("few", count=3)
    (tmp_path / "one class").mkdir()
    for name in ("17_9b1", "18_4e2", "19_0c3", "20_7d4", "21_c5"):
        (tmp_path / "one class" / f"{name}.png").touch()
    (photos / "unlabelled").mkdir()
    for images, masks, task, message in (
        (tmp_path / "nowhere", None, None, "not found; give a folder of images"),
        (tmp_path / "bare", None, None, "nothing tells what the images in .*folder of its class"),
        (tmp_path / "bare" / "one.png", None, None, "is no table; give a folder"),
        (tmp_path / "one class", None, None, "above if it is .* alone in their class"),
        (photos, None, None, "unlabelled seems to hold images without labels, no class: move"),
        (few, None, None, "blue, green and red of .* have fewer than 4 images"),
        (photos, scenes / "masks", "classification", "--masks are for segmentation"),
        (scenes / "images", scenes / "masks", None, "the masks hold 1 value, .* 2 to 60"),
        (scenes / "images", tmp_path / "nowhere", None, "nowhere is no folder"),
    ):
        with pytest.raises(DatasetError, match=message):
            inspect_images(images, masks, task)
