"""Prepared datasets that are described, but have no arrays, and such as have arrays in memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from kdtasks.core.records.data import SplitCounts
from kdtasks.data.prepared import DESCRIPTION, PreparedDataset


def describe_dataset(
    folder: Path,
    *,
    class_names: tuple[str, ...],
    image_shape: tuple[int, int, int],
    task: str = "classification",
    validation_rows: int = 100,
) -> PreparedDataset:
    """Write a description, and give the dataset as if it were opened."""
    (folder / DESCRIPTION).write_text('{"name": "pixels"}\n')
    return PreparedDataset(
        folder=folder,
        name="pixels",
        task=task,
        class_names=class_names,
        image_shape=image_shape,
        ignore_label=None,
        counts={"validation": SplitCounts(total=validation_rows, by_class={})},
    )


@dataclass(frozen=True)
class _InMemory:
    """One split."""

    split: str
    split_images: np.ndarray
    split_labels: np.ndarray
    num_classes: int
    ignore_label: int | None

    def images(self, split: str) -> np.ndarray:
        assert split == self.split
        return self.split_images

    def groups(self, split: str) -> np.ndarray:
        return np.arange(len(self.split_images))

    def labels(self, split: str) -> np.ndarray:
        assert split == self.split
        return self.split_labels


def dataset_of(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    ignore_label: int | None = None,
    split: str = "train",
) -> PreparedDataset:
    """Give arrays as the only split of a dataset."""
    return cast(PreparedDataset, _InMemory(split, images, labels, num_classes, ignore_label))
