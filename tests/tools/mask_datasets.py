"""Prepared masks for the bundles of segmentation_bundles.py, and bundles that get some wrong.

Every source image is one tile of 8×12 pixels in one colour, and its mask says that colour's class.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kdtasks.data.prepare import write_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.params import Params
from tests.tools.segmentation_bundles import SHAPE

CLASS_NAMES = ("red", "green", "blue")


def coloured(index: int, level: int = 200) -> np.ndarray:
    """An image whose brightest channel is `index`: uint8 of SHAPE."""
    image = np.zeros(SHAPE, np.uint8)
    image[..., index] = level
    return image


def write_mask_dataset(
    folder: Path, params: Params, labels: Sequence[int], *, shown: Sequence[int] | None = None
) -> str:
    """Write prepared tiles, one of each source image.

    Args:
        folder: `data/prepared` of a project.
        params: for the section `data`.
        labels: class of each test image.
        shown: the colour that it has, which the colour model answers; None for the labels.

    Returns: the hash of their description, as a bundle's manifest has it.
    """
    colours = labels if shown is None else shown
    levels = 20 + 10 * (np.arange(len(labels)) % 20)
    images = [coloured(*each) for each in zip(colours, levels.tolist(), strict=True)]
    rows = np.arange(len(labels))
    masks = np.repeat(np.asarray(labels, np.uint8), SHAPE[0] * SHAPE[1])
    dataset = RawDataset(
        task="segmentation",
        images=np.array(images),
        labels=masks.reshape(len(labels), *SHAPE[:2]),
        class_names=CLASS_NAMES,
        origins=tuple(map(str, rows)),
    )
    few = rows[:4]
    splits = {"train": few, "validation": few, "calibration": few, "test": rows}
    write_prepared(folder, dataset, splits, params.data)
    return hashlib.sha256((folder / "dataset.json").read_bytes()).hexdigest()
