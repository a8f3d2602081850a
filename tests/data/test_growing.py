"""Once in train, never in test: folders that grow, of classes and of masks."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import load_dataset
from kdtasks.data.prepared import SPLITS
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset
from tests.tools.photos import photos

SHARES = {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2}
SCENES = photos(24, (16, 32))
PANS = photos(20, (32, 38), seed=1)


def splits_of(folder: Path, keys: Mapping[str, object]) -> dict[str, int]:
    """The place in `SPLITS` of every image, by its file."""
    section = DataParams.model_validate(
        {"path": str(folder), "split": SHARES, "stable_split": True, **keys}
    )
    dataset = load_dataset(section)
    try:
        split = split_dataset(dataset, section.split, seed=0)
    except DatasetError:  # a split without one of the classes
        return {}
    found: dict[str, int] = {}
    for place, name in enumerate(SPLITS):
        for row in split[name].tolist():
            origin = dataset.origins[row].split("[")[0]
            assert found.setdefault(origin, place) == place
    return found


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(20)), st.sets(st.integers(0, 19)))
def test_no_photo_of_a_class_moves_from_train_to_test(order: list[int], between: set[int]) -> None:
    """Frames of a pan: two that are no near copies are, once there is one between them."""
    keys = {"source": "image_folder", "image_size": [32, 32]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label in ("a", "b"):
            (folder / label).mkdir()

        def save(number: int, frame: int) -> None:
            path = folder / "ab"[number % 2] / f"{number}_{frame}.png"
            _save(PANS[number][:, frame : frame + 32], path)

        for number in order[:15]:
            save(number, 0)
            save(number, 6)
        before = splits_of(folder, keys)
        for number in order[15:]:
            save(number, 0)
        for number in between:
            save(number, 3)
        after = splits_of(folder, keys)
    assume(before and after)
    for path in before.keys() & after.keys():
        assert after[path] <= before[path], path
    for number in between & set(order[:15]):
        group = [after[f"{'ab'[number % 2]}/{number}_{frame}.png"] for frame in (0, 3, 6)]
        assert len(set(group)) == 1


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(24)), st.lists(st.tuples(*[st.integers(0, 23)] * 2), max_size=4))
def test_no_photo_with_a_mask_moves_from_train_to_test(
    order: list[int], joined: list[tuple[int, int]]
) -> None:
    """A later photo has one patch of each of two old ones: these are of one group from then on."""
    source = {"name": "segmentation_folder", "classes": {"a": 0, "b": 1}, "patch_size": 16}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        (folder / "masks").mkdir()
        for number in order[:18]:
            _save_pair(SCENES[number], folder, f"{number}")
        before = splits_of(folder, {"source": source})
        for number in order[18:]:
            _save_pair(SCENES[number], folder, f"{number}")
        for number, (one, other) in enumerate(joined):
            halves = [SCENES[one][:, :16], SCENES[other][:, 16:]]
            _save_pair(np.concatenate(halves, axis=1), folder, f"joined_{number}")
        after = splits_of(folder, {"source": source})
    assume(before and after)
    for path in before.keys() & after.keys():
        assert after[path] <= before[path], path


def _save(pixels: np.ndarray, path: Path) -> None:
    Image.fromarray(pixels).save(path)


def _save_pair(pixels: np.ndarray, folder: Path, stem: str) -> None:
    _save(pixels, folder / "images" / f"{stem}.png")
    mask = np.repeat(np.arange(2, dtype=np.uint8), 8)
    _save(np.tile(mask, (pixels.shape[0], 2)), folder / "masks" / f"{stem}.png")
