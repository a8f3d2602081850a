"""Prepared datasets that are described, but have no arrays, and such as have arrays in memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from kdtasks.core.records import LabelsFrom
from kdtasks.core.records.data import SplitCounts
from kdtasks.data.prepared import DESCRIPTION, PreparedDataset


def describe_dataset(
    folder: Path,
    *,
    class_names: tuple[str, ...],
    image_shape: tuple[int, int, int],
    task: str = "classification",
    validation_rows: int = 100,
    deep_range: tuple[int, int] | None = None,
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
        deep_range=deep_range,
    )


@dataclass(frozen=True)
class _InMemory:
    """One split."""

    split: str
    split_images: np.ndarray
    split_labels: np.ndarray
    num_classes: int
    ignore_label: int | None
    rows_of_images: np.ndarray
    weights: np.ndarray | None = None
    teacher_labelled: tuple[str, ...] = ()

    def labels_from(self, split: str) -> LabelsFrom:
        return "teacher" if split in self.teacher_labelled else None

    @property
    def task(self) -> str:
        return "segmentation" if self.split_labels.ndim > 1 else "classification"

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(map(str, range(self.num_classes)))

    def names(self, split: str) -> tuple[str, ...]:
        if split != self.split:
            return ()
        rows = enumerate(self.rows_of_images.tolist())
        is_cut = self.split_labels.ndim > 1
        return tuple(f"{image}[{row}]" if is_cut else str(row) for row, image in rows)

    def groups(self, split: str) -> np.ndarray:
        return self.rows_of_images if split == self.split else self.rows_of_images[:0]

    @property
    def no_label(self) -> int:
        if self.ignore_label is not None:
            return self.ignore_label
        return 255 if self.split_labels.ndim > 1 else -1

    def images(self, split: str) -> np.ndarray:
        assert split == self.split
        return self.split_images

    def labels(self, split: str) -> np.ndarray:
        assert split == self.split
        return self.split_labels

    def row_weights(self) -> np.ndarray | None:
        return self.weights


def dataset_of(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    ignore_label: int | None = None,
    split: str = "train",
    groups: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> PreparedDataset:
    """Give arrays as the only split of a dataset."""
    sources = np.arange(len(images)) if groups is None else groups
    in_memory = _InMemory(split, images, labels, num_classes, ignore_label, sources, weights)
    return cast(PreparedDataset, in_memory)
