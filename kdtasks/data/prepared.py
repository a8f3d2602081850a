"""The folder `data/prepared`, as every stage after `prepare` reads it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Dataset, SplitCounts
from kdtasks.tasks.registry import task_of

DESCRIPTION = "dataset.json"
SPLITS = ("train", "validation", "calibration", "test")
ADVICE = "run `dvc repro prepare`"


@dataclass(frozen=True)
class PreparedDataset:
    """A prepared dataset on disk; arrays are mapped, not read.

    `image_shape` is (height, width, channels); `counts` is as in `dataset.json`.
    """

    folder: Path
    name: str
    task: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    ignore_label: int | None
    counts: dict[str, SplitCounts]

    @property
    def num_classes(self) -> int:
        """Number of classes; `ignore_label` is none."""
        return len(self.class_names)

    def images(self, split: str) -> np.ndarray:
        """Map the images of a split: uint8 [N, height, width, channels], read-only."""
        return _map(self.folder, split, "images", self._shape(split, self.image_shape))

    def labels(self, split: str) -> np.ndarray:
        """Map the labels: int32 [N], or uint8 [N, height, width]; read-only."""
        shape = task_of(self.task).label_shape(self.image_shape)
        return _map(self.folder, split, "labels", self._shape(split, shape))

    def source_images(self, split: str) -> np.ndarray:
        """Number the source image of each row, int [N], from 0: patches of one image share it.

        Equal patches join their images, as they did for the split.
        """
        if not task_of(self.task).per_pixel:
            return np.arange(self.counts[split].total)
        return _map(self.folder, split, "source_images", self._shape(split, ()))

    def _shape(self, split: str, rest: tuple[int, ...]) -> tuple[int, ...]:
        if split not in SPLITS:
            raise DatasetError(f"no split {split!r}; the splits are {', '.join(SPLITS)}")
        return (self.counts[split].total, *rest)


def open_prepared(folder: Path) -> PreparedDataset:
    """Open what `write_prepared` wrote.

    Raises:
        DatasetError: a file of arrays is missing, or is not what `dataset.json` says.
        KdTasksError: `dataset.json` is missing or damaged.
    """
    content = Dataset.read(folder / DESCRIPTION)
    dataset = PreparedDataset(
        folder=folder,
        name=content.name,
        task=content.task,
        class_names=content.class_names,
        image_shape=content.image_shape,
        ignore_label=content.ignore_label,
        counts=content.counts,
    )
    for split in SPLITS:
        dataset.images(split)
        dataset.labels(split)
        dataset.source_images(split)
    return dataset


def _map(folder: Path, split: str, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    path = folder / file_name(split, kind)
    if not path.is_file():
        raise DatasetError(f"{path} is not there; {ADVICE}")
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DatasetError(f"{path} is damaged ({error}); {ADVICE}") from None
    if array.shape != shape:
        raise DatasetError(f"{path} holds {array.shape}, dataset.json says {shape}; {ADVICE}")
    return array


def file_name(split: str, kind: str) -> str:
    """Name of an array's file; `kind` is `images`, `labels` or `source_images`."""
    return f"{split}_{kind}.npy"
