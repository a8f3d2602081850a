"""What reads a folder is found out, for every layout that people bring."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.data.inspection import inspection_params
from kdtasks.data.mask_proposals import propose_classes
from kdtasks.data.settings import DataParams
from kdtasks.data.source_proposals import find_source
from kdtasks.data.sources import Item

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, noise: Callable[..., np.ndarray]) -> Write:
    """Write images of noise, masks of some values, and texts; give the folder."""

    def build(*images: str, masks: dict[str, Any] | None = None, **texts: str) -> Path:
        for seed, name in enumerate(images):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise(seed)).save(tmp_path / name)
        for name, values in (masks or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.array(values, np.uint8)).save(tmp_path / name)
        for name, text in texts.items():
            (tmp_path / f"{name}.csv").write_text(text)
        return tmp_path

    return build


def proposed(path: Path, masks: Path | None = None) -> DataParams:
    return inspection_params(find_source(path, masks))


def source_of(path: Path, masks: Path | None = None) -> dict[str, Any]:
    return proposed(path, masks).source.model_dump(exclude_defaults=True, exclude={"name"})


def test_folders_of_classes(write: Write):
    params = proposed(write("cat/1.png", "dog/2.png"))
    assert (params.source.name, params.on_bad) == ("image_folder", "fail")


def test_names_that_tell_classes(write: Write):
    assert proposed(write("cat_1.png", "dog_2.png")).source.name == "file_names"


def test_a_table_beside_its_images_is_found_among_others(write: Write):
    folder = write(
        "images/1.png",
        "images/2.png",
        sample_submission="id,answer\n",
        train="id,label\n1,cat\n2,dog\n",
    )
    assert proposed(folder).source.name == "table"
    assert source_of(folder) == {"file": "train.csv"}
    params = proposed(folder / "train.csv")
    assert (params.path, params.source.name) == (str(folder), "table")


def test_a_table_that_names_no_image_leaves_folders_of_classes(write: Write):
    folder = write("cat/1.png", "dog/2.png", notes="when,who\nnow,me\n")
    assert proposed(folder).source.name == "image_folder"


def test_images_and_masks_in_two_folders(write: Write):
    folder = write("images/1.png", "images/2.png",
                   masks={"masks/1.png": [[0, 1]], "masks/2.png": [[3, 255]]})  # fmt: skip
    params = proposed(folder)
    assert params.source.name == "segmentation_folder"
    # 255 beside other indices is unlabelled, which the source finds out itself
    assert params.source.mask_values == {"class_0": 0, "class_1": 1, "class_3": 3}


def test_masks_where_they_are_said_to_be(write: Write):
    folder = write("photos/1.png", masks={"truth/1.png": [[0, 255]]})
    assert source_of(folder, folder / "truth") == {
        "images": "photos",
        "masks": "truth",
        "classes": {"background": 0, "object": 255},
    }


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (".", "gt"),
        ("imgs", "masks"),
        ("data/imgs", "data/masks"),
        ("train/images", "train/masks"),
        ("photos", "annotations/trimaps"),
    ],
)
def test_images_are_looked_for_beside_masks_in_their_folder(write: Write, images: str, masks: str):
    names = [f"{images}/{number}.png" for number in range(3)]
    folder = write(
        *names,
        "val/images/0.png",
        masks={name.replace(images, masks, 1): [[0, 1]] for name in names},
    )
    if images == "imgs":  # a link in the folder lies in it
        (folder / "apart").mkdir()
        (folder / masks).rename(folder / "apart/drawn")
        (folder / masks).symlink_to(folder / "apart/drawn")
    found = source_of(folder, folder / masks)
    assert (found.get("images", "images"), found.get("masks", "masks")) == (images, masks)
    source = proposed(folder, folder / masks).source
    items = [each for each in source.items(folder) if isinstance(each, Item)]
    assert [each.name for each in items] == [
        f"{images}/{n}.png".removeprefix("./") for n in range(3)
    ]


def test_masks_in_the_folder_of_their_images_are_no_images(write: Write):
    folder = write("1.png", "2.png", masks={"gt/1.png": [[0, 1]], "gt/2.png": [[1, 0]]})
    source = proposed(folder, folder / "gt").source
    assert [each for each in source.items(folder) if isinstance(each, Problem)] == []


@pytest.mark.parametrize("folders", [(), ("images", "masks"), ("train/images", "train/masks")])
def test_empty_folders_are_refused(tmp_path: Path, folders: tuple[str, ...]):
    for name in folders:
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"no image at any depth|; put (images|masks) into one"):
        proposed(tmp_path)
    with pytest.raises(DatasetError, match=r"holds no mask of an image in .*; put images into one"):
        find_source(tmp_path, task="segmentation")


@pytest.fixture
def listed(write: Write) -> Callable[..., Any]:
    """Eight images, and lists of those of each split, by their numbers; give what is proposed."""

    def build(**lists: str) -> Any:
        names = [f"{kind}_{number}" for number in range(4) for kind in ("cat", "dog")]
        folder = write(*(f"images/{name}.png" for name in names))
        (folder / "annotations").mkdir()
        for name, numbers in lists.items():
            rows = [f"{names[int(number)]} 1" for number in numbers]
            (folder / f"annotations/{name}.txt").write_text("\n".join(rows))
        return find_source(folder)

    return build


def test_of_two_lists_of_training_images_the_narrower_counts(listed: Callable[..., Any]):
    found = listed(trainval="012345", val="45", test="67")
    splits = {each.name[7:12]: each.split for each in found.source.items(found.path)}
    assert {name for name, split in splits.items() if split == "validation"} == {"cat_2", "dog_2"}
    assert {name for name, split in splits.items() if split == "test"} == {"cat_3", "dog_3"}
    assert found.notes == []


def test_lists_that_contradict_are_told(listed: Callable[..., Any]):
    found = listed(train="0123", test="3456", testing="7")
    assert found.source.lists == {}
    assert found.notes[1:] == [
        "annotations/testing.txt is passed over, as annotations/test.txt lists images of test too; "
        "put both into one file",
        "annotations/test.txt and annotations/train.txt are not used, a new split is made: "
        "dog_1.png is listed in test and train; a model would be tested on "
        "what it has learnt: take it out of annotations/train.txt",
    ]


def test_masks_beside_their_images(write: Write):
    folder = write("a.png", "b.png", masks={"a_mask.png": [[0, 1]], "b_mask.png": [[1, 0]]})
    expected = {"images": ".", "masks": ".", "classes": {"background": 0, "object": 1}}
    assert source_of(folder) == source_of(folder, folder) == expected


def test_colours_are_named_by_themselves(write: Write):
    red, blue = [255, 0, 0], [0, 0, 255]
    folder = write(masks={"1.png": [[red, red]], "2.png": [[blue, red]]})
    found = propose_classes(sorted(folder.glob("*.png")))
    assert found == {"colour_0000FF": "#0000FF", "colour_FF0000": "#FF0000"}


def test_what_a_jpeg_has_put_between_colours_is_no_class(write: Write):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32], pixels[32:] = (255, 0, 0), (0, 0, 255)
    generator = np.random.default_rng(0)
    pixels[0] = generator.integers(0, 256, (64, 3))  # 64 colours of a pixel each
    pixels[1] = generator.integers(0, 256, (64, 3))
    folder = write(masks={f"{number}.png": pixels for number in range(3)})
    assert list(propose_classes(sorted(folder.glob("*.png")))) == ["colour_0000FF", "colour_FF0000"]


def test_masks_of_photos_are_refused(write: Write, noise: Callable[..., np.ndarray]):
    folder = write("a.png", "b.png")
    with pytest.raises(DatasetError, match="masks hold 128 colours, 128 of them often, of classes"):
        propose_classes(sorted(folder.glob("*.png")))


@pytest.fixture
def in_splits(write: Write) -> Path:
    """Images and masks in `train`, with a photo alone in `val`."""
    names = [f"{split}/images/{number}.png" for split in ("train", "val") for number in range(4)]
    drawn = {name.replace("images", "masks"): [[0, 1]] for name in names[:-1]}
    return write(*names, masks=drawn)


def test_images_and_masks_in_folders_of_splits_are_no_classes(in_splits: Path):
    assert source_of(in_splits) == {"classes": {"background": 0, "object": 1}}
    source = proposed(in_splits).source
    assert source.layout_found(in_splits) == [
        "folders of splits: validation kept as given; calibration and test taken out of train"
    ]
    found = list(source.items(in_splits))
    assert [each for each in found if isinstance(each, Problem)] == [
        Problem("val/images/3.png", "an image without a mask")
    ]
    given = {each.name: each.split for each in found if isinstance(each, Item)}
    assert given == {f"train/images/{number}.png": None for number in range(4)} | {
        f"val/images/{number}.png": "validation" for number in range(3)
    }
    (in_splits / "README.md").touch()
    (in_splits / "test/images").mkdir(parents=True)
    told = [each for each in source.items(in_splits) if isinstance(each, Problem)]
    assert [each.path for each in told] == ["test", "val/images/3.png"]
    assert told[0].problem.startswith("images and masks are not both in it; data.unlabelled")


def test_classes_in_folders_of_splits_may_be_called_like_masks(write: Write):
    folder = write(*(f"{split}/{name}/{number}.png" for split in ("train", "val")
                     for name in ("face", "mask") for number in range(2)))  # fmt: skip
    assert proposed(folder).source.name == "image_folder"


def test_what_is_no_dataset_is_refused(write: Write, tmp_path: Path):
    with pytest.raises(DatasetError, match="gone not found; give a folder of images, or a table"):
        proposed(tmp_path / "gone")
    with pytest.raises(DatasetError, match="put each into a folder of its class"):
        proposed(write("one.png", "two.png"))
