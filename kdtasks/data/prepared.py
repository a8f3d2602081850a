"""The folder `data/prepared`, as every stage after `prepare` reads it."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.files import read_json
from kdtasks.core.records import LabelsFrom
from kdtasks.core.records.data import Dataset, SplitCounts
from kdtasks.tasks.registry import task_of

DESCRIPTION = "dataset.json"
NAMES = "names.json"

# Begins the name of an image without a label, before its path below `data.unlabelled`.
UNLABELLED = "unlabelled/"

SPLITS = ("train", "validation", "calibration", "test")
ADVICE = "run `dvc repro prepare`"


@dataclass(frozen=True)
class PreparedDataset:
    """A prepared dataset on disk; arrays are mapped, not read.

    `image_shape` is (height, width, channels); `counts`, `deep_range` and `teacher_labelled` are as
    in `dataset.json`.
    """

    folder: Path
    name: str
    task: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    ignore_label: int | None
    counts: dict[str, SplitCounts]
    deep_range: tuple[int, int] | None = None
    teacher_labelled: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """Number of classes; `ignore_label` is none."""
        return len(self.class_names)

    @property
    def no_label(self) -> int:
        """The label of images, or pixels, that have none."""
        if self.ignore_label is not None:
            return self.ignore_label
        return 255 if task_of(self.task).per_pixel else -1

    def labels_from(self, split: str) -> LabelsFrom:
        """Say whose answers stand in the place of a split's labels."""
        return "teacher" if split in self.teacher_labelled else None

    def images(self, split: str) -> np.ndarray:
        """Map the images of a split: uint8 [N, height, width, channels], read-only."""
        return self._map(split, "images", self.image_shape)

    def timed_images(self, count: int) -> np.ndarray:
        """Draw images to time models on: uint8 [`count` or fewer, height, width, channels].

        They are of the validation split, and always the same: thresholds were chosen on the
        calibration split, so the mix of exits is not new images' there, and `evaluate` alone reads
        the test split. A variant is chosen by accuracy and compute of the validation split too.
        """
        images = self.images("validation")
        return images[np.random.default_rng(0).permutation(len(images))[:count]]

    def labels(self, split: str) -> np.ndarray:
        """Map the labels: int32 [N], or uint8 [N, height, width]; read-only.

        Those of a split in `teacher_labelled` are the teacher's likeliest classes.
        """
        return self._map(split, "labels", task_of(self.task).label_shape(self.image_shape))

    def groups(self, split: str) -> np.ndarray:
        """Number the group of each row, int32 [N], from 0 as they come; a group counts once.

        A group is what stayed together in the split: patches of one image, equal images, near
        copies, and groups that the source or the user names.
        """
        return self._map(split, "groups", ())

    def row_weights(self) -> np.ndarray | None:
        """Map how much each label of the training split counts: float32 [N]; None: all alike."""
        weighted = (self.folder / file_name("train", "weights")).is_file()
        return self._map("train", "weights", ()) if weighted else None

    def names(self, split: str) -> tuple[str, ...]:
        """Name the image of each row: its path below `data.path`, or what the source calls it.

        Raises:
            DatasetError: the file of names is missing or damaged.
        """
        return read_names(self.folder / NAMES, split, self.counts[split].total)

    def _map(self, split: str, kind: str, shape: tuple[int, ...]) -> np.ndarray:
        if split not in SPLITS:
            raise DatasetError(f"no split {split!r}; the splits are {', '.join(SPLITS)}")
        path, expected = self.folder / file_name(split, kind), (self.counts[split].total, *shape)
        if not path.is_file():
            raise DatasetError(f"{path} not found; {ADVICE}")
        try:
            array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            raise DatasetError(f"{path} is damaged ({error}); {ADVICE}") from None
        if array.shape != expected:
            raise DatasetError(
                f"{path} holds {array.shape}, {DESCRIPTION} says {expected}; {ADVICE}"
            )
        return array


def open_prepared(folder: Path) -> PreparedDataset:
    """Open what `write_prepared` wrote.

    Raises:
        DatasetError: a file of arrays is missing, or is not what `dataset.json` says.
        KdTasksError: `dataset.json` is missing or damaged.
    """
    names = {field.name for field in fields(PreparedDataset)}
    known = {key: value for key, value in Dataset.read(folder / DESCRIPTION) if key in names}
    dataset = PreparedDataset(folder=folder, **known)
    for split in SPLITS:
        for arrays in (dataset.images, dataset.labels, dataset.groups):
            arrays(split)
    return dataset


def file_name(split: str, kind: str) -> str:
    """Name of an array's file; `kind` is `images`, `labels`, `groups` or `weights`."""
    return f"{split}_{kind}.npy"


def read_names(path: Path, split: str, count: int) -> tuple[str, ...]:
    """Read the names of a split's images from a file that has them by split.

    Raises:
        DatasetError: the file is missing or damaged, or has not `count` of them.
    """
    try:
        names = tuple(read_json(path)[split])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read ({error!r}); {ADVICE}") from None
    if len(names) != count:
        raise DatasetError(f"{path} names {len(names)} images of {split}, not {count}; {ADVICE}")
    return names
