"""What reads a folder is found out, for every layout that people bring."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.data.source_proposals import propose_classes, propose_params

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


def source_of(path: Path, masks: str | None = None) -> dict[str, Any]:
    return propose_params(path, masks).source.model_dump(exclude_defaults=True, exclude={"name"})


def test_folders_of_classes(write: Write):
    params = propose_params(write("cat/1.png", "dog/2.png"))
    assert (params.source.name, params.on_bad) == ("image_folder", "fail")


def test_names_that_tell_classes(write: Write):
    assert propose_params(write("cat_1.png", "dog_2.png")).source.name == "file_names"


def test_a_table_beside_its_images_is_found_among_others(write: Write):
    folder = write(
        "images/1.png",
        "images/2.png",
        sample_submission="id,answer\n",
        train="id,label\n1,cat\n2,dog\n",
    )
    assert propose_params(folder).source.name == "table"
    assert source_of(folder) == {"file": "train.csv"}
    params = propose_params(folder / "train.csv")
    assert (params.path, params.source.name) == (str(folder), "table")


def test_a_table_that_names_no_image_leaves_folders_of_classes(write: Write):
    folder = write("cat/1.png", "dog/2.png", notes="when,who\nnow,me\n")
    assert propose_params(folder).source.name == "image_folder"


def test_images_and_masks_in_two_folders(write: Write):
    folder = write("images/1.png", "images/2.png",
                   masks={"masks/1.png": [[0, 1]], "masks/2.png": [[3, 255]]})  # fmt: skip
    params = propose_params(folder)
    assert params.source.name == "segmentation_folder"
    # 255 beside other indices is unlabelled, which the source finds out itself
    assert params.source.mask_values == {"class 0": 0, "class 1": 1, "class 3": 3}


def test_masks_where_they_are_said_to_be(write: Write):
    folder = write("photos/1.png", masks={"truth/1.png": [[0, 255]]})
    assert source_of(folder, "truth") == {
        "images": "photos",
        "masks": "truth",
        "classes": {"background": 0, "object": 255},
    }


def test_masks_beside_their_images(write: Write):
    folder = write("a.png", "b.png", masks={"a_mask.png": [[0, 1]], "b_mask.png": [[1, 0]]})
    expected = {"images": ".", "masks": ".", "classes": {"class 0": 0, "class 1": 1}}
    assert source_of(folder) == source_of(folder, ".") == expected


def test_colours_are_named_by_themselves(write: Write):
    red, blue = [255, 0, 0], [0, 0, 255]
    folder = write(masks={"1.png": [[red, red]], "2.png": [[blue, red]]})
    found = propose_classes(sorted(folder.glob("*.png")))
    assert found == {"colour 0000FF": "#0000FF", "colour FF0000": "#FF0000"}


def test_what_a_jpeg_has_put_between_colours_is_no_class(write: Write):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32], pixels[32:] = (255, 0, 0), (0, 0, 255)
    generator = np.random.default_rng(0)
    pixels[0] = generator.integers(0, 256, (64, 3))  # 64 colours of a pixel each
    pixels[1] = generator.integers(0, 256, (64, 3))
    folder = write(masks={f"{number}.png": pixels for number in range(3)})
    assert list(propose_classes(sorted(folder.glob("*.png")))) == ["colour 0000FF", "colour FF0000"]


def test_masks_of_photos_are_refused(write: Write, noise: Callable[..., np.ndarray]):
    folder = write("a.png", "b.png")
    with pytest.raises(DatasetError, match="masks hold 128 colours, 128 of them often; one for"):
        propose_classes(sorted(folder.glob("*.png")))


def test_what_is_no_dataset_is_refused(write: Write, tmp_path: Path):
    with pytest.raises(DatasetError, match="not found, a folder of images, or a table of them"):
        propose_params(tmp_path / "gone")
    with pytest.raises(DatasetError, match="put each image into a folder of its class"):
        propose_params(write("one.png", "two.png"))
