"""Real image folders, where the environment variable KDTASKS_DATA names them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import load_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset

DATA = os.environ.get("KDTASKS_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="KDTASKS_DATA names no folder of real data")
AERIAL = {
    "building": "#3C1098",
    "land": "#8429F6",
    "road": "#6EC1E4",
    "vegetation": "#FEDD3A",
    "water": "#E2A929",
}


def test_flower_photos_hold_one_image_under_two_classes(
    data_params: Callable[..., DataParams],
) -> None:
    keys = {"path": str(Path(DATA or "", "flower_photos")), "image_size": [32, 32]}
    with pytest.raises(DatasetError, match="has 2 problems"):
        load_dataset(data_params("image_folder", **keys))
    dataset = load_dataset(data_params("image_folder", **keys, on_bad="skip"))
    assert len(dataset) == 3668
    assert [found.labels for found in dataset.duplicates if found.contradicts] == [
        ("roses", "tulips")
    ]


def test_aerial_photos_are_cut_and_split_by_image(
    data_params: Callable[..., DataParams],
) -> None:
    keys = {"path": str(Path(DATA or "", "aerial_dubai")), "image_size": [256, 256]}
    folder = {
        "name": "segmentation_folder",
        "classes": AERIAL,
        "ignore": ["#9B9B9B"],
        "patch_size": 64,
    }
    with pytest.raises(DatasetError, match=r"outside the palette: #000000 \("):
        load_dataset(data_params(folder, **keys))
    folder["ignore"] = ["#9B9B9B", "#000000"]
    params = data_params(folder, **keys)
    dataset = load_dataset(params)
    split = split_dataset(dataset, params.split, seed=0)
    images = [{dataset.origins[row].split("[")[0] for row in rows} for rows in split.values()]
    assert sum(len(part) for part in images) == len(set.union(*images)) == 72
    counts = dataset.label_counts()
    assert all(counts.take(rows).total().min() > 0 for rows in split.values())
