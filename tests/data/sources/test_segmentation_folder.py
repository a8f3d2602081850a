import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import load_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import Item
from kdtasks.data.sources.segmentation_folder import SegmentationFolder
from kdtasks.data.split import split_dataset
from kdtasks.edge.decoder import Decoder

RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)
SOURCE = {
    "name": "segmentation_folder",
    "classes": {"roof": "#FF0000", "water": "#0000FF"},
    "ignore": ["#000000"],
    "patch_size": 8,
}


@pytest.fixture
def folder(tmp_path: Path, noise: Callable[..., np.ndarray]) -> Path:
    """Six images of 8×12, roof on the left and water in the last two columns."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    mask = np.zeros((8, 12, 3), np.uint8)
    mask[:, :6], mask[:, 10:] = RED, BLUE
    for number in range(6):
        Image.fromarray(noise(number, 8, 12)).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


@pytest.fixture
def params(folder: Path, data_params: Callable[..., DataParams]) -> Callable[..., DataParams]:
    def build(settings: dict[str, Any] | None = None, **keys: Any) -> DataParams:
        return data_params(SOURCE | (settings or {}), **({"path": str(folder)} | keys))

    return build


def test_patches_and_their_masks_match_the_images(
    params: Callable[..., DataParams], noise: Callable[..., np.ndarray]
) -> None:
    dataset = load_dataset(params())
    assert dataset.images.shape == (12, 8, 8, 3)
    assert dataset.labels.shape == (12, 8, 8)
    assert dataset.labels.dtype == np.uint8
    assert dataset.ignore_label == 255
    assert tuple(dataset.origins[:2]) == ("images/0.png[0:8, 0:8]", "images/0.png[0:8, 4:12]")
    assert np.array_equal(dataset.images[3], noise(1, 8, 12)[:, 4:12])
    # The columns 4 … 7 are in both patches: 4 and 5 count in the first, the others in the second.
    assert dataset.labels[0, 0].tolist() == [0] * 6 + [255] * 2
    assert dataset.labels[1, 0].tolist() == [255] * 6 + [1] * 2
    assert dataset.label_counts().kinds[:2].tolist() == [[48, 0], [0, 16]]


@settings(max_examples=30)
@given(
    patch_size=st.integers(1, 12),
    height=st.integers(0, 30),
    width=st.integers(0, 30),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.9]),
)
def test_every_pixel_of_an_image_counts_once(
    patch_size: int, height: int, width: int, overlap: float
) -> None:
    shape = patch_size + height, patch_size + width
    mask = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint8)
    source = SegmentationFolder(
        classes={"a": 0, "b": 1, "c": 2}, patch_size=patch_size, overlap=overlap
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(mask).save(folder / "mask.png")
        Image.fromarray(mask).save(folder / "image.png")
        item = Item("image.png", folder / "image.png", folder / "mask.png")
        patches = source.examples(folder, item, Decoder(), None, 1)
    found = np.full(shape, 255, np.uint8)
    for patch in patches:
        top, left = (int(start) for start in re.findall(r"[\[ ](\d+):", patch.name))
        labelled = patch.label != source.ignore_label
        window = found[top : top + patch_size, left : left + patch_size]
        assert np.all(window[labelled] == 255)  # nobody has counted it yet
        window[labelled] = patch.label[labelled]
        assert np.array_equal(patch.image[..., 0][labelled], patch.label[labelled])
    assert np.array_equal(found, mask)


def test_patches_of_a_image_stay_in_one_split(params: Callable[..., DataParams]) -> None:
    section = params()
    dataset = load_dataset(section)
    split = split_dataset(dataset, section.split, seed=0)
    for rows in split.values():
        images = {dataset.origins[row].split("[")[0] for row in rows}
        assert len(rows) == 2 * len(images)


def test_whole_images_are_resized_before_they_are_cut(params: Callable[..., DataParams]) -> None:
    dataset = load_dataset(params(image_size=[16, 24], channels=1))
    assert dataset.images.shape == (6 * 2 * 3, 8, 8, 1)
    # Twice as large, the first 12 columns are roof, the next 8 unlabelled, the last 4 water.
    assert dataset.labels[1, 0].tolist() == [0] * 4 + [255] * 4
    assert dataset.labels[2, 0].tolist() == [255] * 4 + [1] * 4


def test_max_images_counts_whole_images(params: Callable[..., DataParams]) -> None:
    dataset = load_dataset(params(max_images=5))
    assert len({origin.split("[")[0] for origin in dataset.origins}) == 5
    assert len(dataset) == 10


def test_patches_without_a_label_are_left_out_without_fault(
    folder: Path, params: Callable[..., DataParams]
) -> None:
    mask = np.zeros((8, 12, 3), np.uint8)
    mask[:, :4] = RED
    Image.fromarray(mask).save(folder / "masks" / "5.png")
    dataset = load_dataset(params())
    assert len(dataset) == 11
    assert dataset.problems == ()
    (item,) = dataset.excluded
    assert (item.path, item.problem) == ("images/5.png[0:8, 4:12]", "no labelled pixel")


def spoil(root: Path, noise: Callable[..., np.ndarray]) -> None:
    """Make one of every problem that images and masks can have."""
    images, masks = root / "images", root / "masks"
    (images / ".hidden").write_text("x")
    (images / "notes.txt").write_text("x")
    (masks / "0.png").unlink()
    Image.new("RGB", (12, 8), RED).save(masks / "extra.png")
    Image.new("RGB", (11, 8), RED).save(masks / "1.png")
    strange = Image.new("RGB", (12, 8), RED)
    strange.putpixel((0, 0), (1, 2, 3))
    strange.save(masks / "2.png")
    (images / "3.png").write_bytes(b"broken")
    Image.new("RGB", (7, 8)).save(images / "small.png")
    Image.new("RGB", (7, 8), RED).save(masks / "small.png")
    Image.fromarray(noise(4, 8, 12)).save(images / "4.bmp")


EXPECTED = [
    "images/0.png: an image without a mask",
    "images/1.png: 8×12 pixels, its mask masks/1.png has 8×11; make the mask anew in the image's "
    "size",
    "images/3.png: not readable as an image",
    "images/4.png: named like images/4.bmp",
    "images/notes.txt: an image without a mask",
    "images/small.png: 8×7 pixels, smaller than a patch of 8",
    "masks/2.png: colours outside the palette: #010203 (1 pixels); add them to "
    "data.source.classes, or to data.source.ignore if they are unlabelled",
    "masks/extra.png: a mask without an image",
]


def test_all_problems_are_in_one_error(
    folder: Path, params: Callable[..., DataParams], noise: Callable[..., np.ndarray]
) -> None:
    spoil(folder, noise)
    with pytest.raises(DatasetError, match="has 8 problems") as info:
        load_dataset(params())
    assert [line.strip() for line in str(info.value).splitlines()[1:]] == EXPECTED


def test_problems_are_left_out_and_recorded(
    folder: Path, params: Callable[..., DataParams], noise: Callable[..., np.ndarray]
) -> None:
    spoil(folder, noise)
    dataset = load_dataset(params(on_bad="skip"))
    assert [f"{item.path}: {item.problem}" for item in dataset.problems] == EXPECTED
    assert {origin.split("[")[0] for origin in dataset.origins} == {"images/4.bmp", "images/5.png"}


def test_a_class_that_occurs_nowhere_is_a_problem(params: Callable[..., DataParams]) -> None:
    classes = {"roof": "#FF0000", "car": "#00FF00", "water": "#0000FF"}
    with pytest.raises(DatasetError, match="class car: occurs in no usable image"):
        load_dataset(params({"classes": classes}))
    dataset = load_dataset(params({"classes": classes}, on_bad="skip"))
    assert dataset.class_names == ("roof", "water")
    assert dataset.labels[1, 0].tolist() == [255] * 6 + [1] * 2


def test_missing_folders_and_too_small_an_image_size_are_told(
    folder: Path, params: Callable[..., DataParams]
) -> None:
    with pytest.raises(DatasetError, match="nowhere not found, the folder of images"):
        load_dataset(params(path=str(folder / "nowhere")))
    with pytest.raises(DatasetError, match="labels not found, the folder of masks"):
        load_dataset(params({"masks": "labels"}))
    with pytest.raises(ValueError, match=r"image_size \[8, 7\] is smaller than a patch of 8"):
        params(image_size=[8, 7])


def test_one_patch_under_two_masks_is_only_reported(
    folder: Path, params: Callable[..., DataParams], noise: Callable[..., np.ndarray]
) -> None:
    Image.fromarray(noise(4, 8, 12)).save(folder / "images" / "5.png")
    mask = np.asarray(Image.open(folder / "masks" / "4.png")).copy()
    mask[:, 2:] = BLUE
    Image.fromarray(mask).save(folder / "masks" / "5.png")
    dataset = load_dataset(params())
    # Of the second patch only the last two columns are labelled under both: water.
    assert [found.labels for found in dataset.duplicates] == [("roof", "water"), ("water",)]
    assert len(dataset) == 12
    assert dataset.groups is not None
    assert len(np.unique(dataset.groups)) == 5


def test_images_and_masks_of_every_kind_give_the_same_patches(
    folder: Path, params: Callable[..., DataParams], noise: Callable[..., np.ndarray]
) -> None:
    before = load_dataset(params())
    image = Image.open(folder / "images" / "0.png")
    grey = np.asarray(image.convert("L"))
    image.convert("RGBA").save(folder / "images" / "0.png")
    Image.fromarray(grey).convert("P").save(folder / "images" / "1.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "images" / "2.png")
    Image.open(folder / "masks" / "0.png").convert("RGBA").save(folder / "masks" / "0.png")
    mask = Image.open(folder / "masks" / "1.png")
    mask.convert("P", palette=Image.Palette.ADAPTIVE, colors=3).save(folder / "masks" / "1.png")
    after = load_dataset(params())
    assert np.array_equal(after.labels, before.labels)
    assert np.array_equal(after.images[:2], before.images[:2])
    for row in (2, 4):
        expected = np.repeat(grey[:, :8, None], 3, axis=2)
        assert np.array_equal(after.images[row], expected)


def test_a_mask_of_sixteen_bits_is_no_mask_of_colours(
    folder: Path, params: Callable[..., DataParams]
) -> None:
    Image.fromarray(np.zeros((8, 12), np.uint16)).save(folder / "masks" / "3.png")
    message = r"masks/3\.png: a mask of mode I(;16)?, colours need 8 bits a channel"
    with pytest.raises(DatasetError, match=message):
        load_dataset(params())


def test_a_single_image_cannot_be_split(folder: Path, params: Callable[..., DataParams]) -> None:
    for name in ("images", "masks"):
        for number in range(1, 6):
            (folder / name / f"{number}.png").unlink()
    section = params()
    dataset = load_dataset(section)
    message = (
        r"(?s)too few independent images \(copies, groups and patches of one image count once\): "
        r"4 are needed.+class roof: 1.+class water: 1"
    )
    with pytest.raises(DatasetError, match=message):
        split_dataset(dataset, section.split, seed=0)
