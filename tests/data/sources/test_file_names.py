from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.data.prepare import load_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import Item
from kdtasks.data.sources.file_names import FileNames, Split


@pytest.fixture
def params(tmp_path: Path, data_params: Callable[..., DataParams]) -> Callable[..., DataParams]:
    def build(*names: str, source: dict[str, Any] | None = None, **keys: Any) -> DataParams:
        for seed, name in enumerate(names):
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix in (".txt", ".mat"):
                path.write_text("not an image")
                continue
            pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        fields = {"path": str(tmp_path / "photos"), "image_size": [8, 8], **keys}
        return data_params({"name": "file_names", **(source or {})}, **fields)

    return build


PETS = ("Egyptian_Mau_1.png", "Egyptian_Mau_12.png", "beagle_1.png", "deep/beagle_100.png")


def test_what_stands_in_front_of_the_number_is_the_class(params):
    dataset = load_dataset(params(*PETS, "list.txt", "beagle_1.mat"))
    assert dataset.class_names == ("Egyptian_Mau", "beagle")
    assert tuple(dataset.origins) == tuple(PETS)
    assert dataset.labels.tolist() == [0, 0, 1, 1]
    assert dataset.notes == (
        "classes by the names of images: Egyptian_Mau_1.png is of Egyptian_Mau",
    )


def test_a_pattern_and_an_order_of_ones_own(params):
    names = ("1-cat-a.png", "2-dog-b.png", "3-cat-c.png", "4-dog-d.png")
    source = {"pattern": r"\d-([a-z]+)-.", "classes": ["dog", "cat"]}
    dataset = load_dataset(params(*names, source=source))
    assert dataset.class_names == ("dog", "cat")
    assert dataset.labels.tolist() == [1, 0, 1, 0]


def test_names_that_tell_nothing_are_problems(params):
    with pytest.raises(DatasetError, match=r"cover\.png: does not match"):
        load_dataset(params(*PETS, "cover.png"))
    skipped = load_dataset(params(*PETS, "cover.png", on_bad="skip"))
    assert skipped.problems == (Problem("cover.png", r"does not match (.+?)[ _.-]*\d+"),)


def test_where_no_name_tells_a_class_a_pattern_is_asked_for(params):
    with pytest.raises(DatasetError, match=r"holds 2 images, .*data\.source\.pattern"):
        load_dataset(params("left.png", "right.png"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"source": {"pattern": "("}}, "is no regular expression"),
        ({"image_size": None}, r"file_names needs \[height, width\]"),
    ],
)
def test_params_are_checked(params, keys, message):
    with pytest.raises(ValueError, match=message):
        params(*PETS, **keys)


def test_a_flat_folder_is_told_of_it(params, data_params):
    folder = params(*PETS).path
    with pytest.raises(DatasetError, match=r"set data\.source to file_names"):
        load_dataset(data_params("image_folder", path=folder + "/deep", image_size=[8, 8]))


def test_lists_tell_the_split_of_images(params, tmp_path: Path):
    params(*(f"images/{kind}_{n}.png" for kind in ("cat", "dog") for n in range(8)))
    photos = tmp_path / "photos"
    (photos / "trainval.txt").write_text("cat_0 1\ncat_1.png 1\n")
    (photos / "test.txt").write_text("cat_2 1\ndog_3 2\ndog_99 2\n")
    lists: dict[Split, str] = {"train": "trainval.txt", "test": "test.txt"}
    source = FileNames(images="images", lists=lists)
    items = [each for each in source.items(photos) if isinstance(each, Item)]
    listed = {each.name for each in items if each.split == "test"}
    assert (len(items), listed) == (16, {"images/cat_2.png", "images/dog_3.png"})
    assert {each.split for each in items} == {None, "test"}  # what no list names is of `train`
    (photos / "test.txt").write_text("cat_0 1\ndog_3 2\n")
    with pytest.raises(DatasetError, match=r"cat_0\.png is listed in train and test; .* test\.txt"):
        list(source.items(photos))
    (photos / "val.txt").write_text("cat_1 1\n")
    (photos / "test.txt").write_text("dog_3 2\n")
    narrower = FileNames(images="images", lists=lists | {"validation": "val.txt"})
    items = [each for each in narrower.items(photos) if isinstance(each, Item)]
    kept = {each.name: each.split for each in items if each.split}
    assert kept == {"images/cat_1.png": "validation", "images/dog_3.png": "test"}
    (photos / "val.txt").write_text("cat_1 1\ndog_1 2\n")  # more than trainval.txt has
    with pytest.raises(DatasetError, match=r"cat_1\.png is listed in train and validation; a mod"):
        list(narrower.items(photos))
    (photos / "test.txt").write_text("bird_0 1\nfox_3 2\n")
    with pytest.raises(DatasetError, match=r"test\.txt names 2 images, most of which are not in"):
        list(source.items(photos))
