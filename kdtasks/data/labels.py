"""Which labels of the training split students see, and all that they are trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.files import atomic_file
from kdtasks.core.records.data import Labels
from kdtasks.data.prepared import SPLITS, PreparedDataset
from kdtasks.data.split import sample_stratified
from kdtasks.data.stacked_rows import StackedRows, rows_of, rows_or_blank
from kdtasks.tasks.registry import task_of

# Number of the random stream, among those of a split's seed.
_STREAM = 4


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What students are trained on: the training split, then the images without a label.

    Attributes:
        images: uint8 [N, height, width, channels], read by rows, as masks are.
        labels: integers [N] or [N, height, width]; `no_label` where students see none.
        labelled: rows whose labels they see.
        no_label: the label of images, or pixels, without one.
        ignore_label: the label that no loss counts: `no_label` where there is one that students do
            not see, else the dataset's own, if it has any.
        weights: float32 [N], how much each label counts; None where all do alike.
        is_teacher_labelled: whether a teacher's answers stand in the place of labels.
        teacher_inputs: the images as the teacher sees them, by rows; None where it sees `images`.
    """

    images: Any
    labels: Any
    labelled: np.ndarray
    no_label: int
    ignore_label: int | None
    weights: np.ndarray | None = None
    is_teacher_labelled: bool = False
    teacher_inputs: Any = None

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def has_hidden_labels(self) -> bool:
        """Whether there are images whose label students do not see."""
        return len(self.labelled) < len(self.images)


def training_set(
    dataset: PreparedDataset,
    unlabelled: np.ndarray | StackedRows,
    labelled: np.ndarray | None = None,
) -> TrainingSet:
    """Put together what students are trained on.

    Args:
        unlabelled: images without a label, uint8 [N, height, width, channels].
        labelled: rows of the training split, as of `choose_labelled`; None is all.
    """
    images: Any = dataset.images("train")
    labels: Any = dataset.labels("train")
    weights = dataset.row_weights()
    if labelled is None:
        labelled = np.arange(len(labels))
    if len(unlabelled):
        parts = (images, unlabelled)
        images = StackedRows(*((part, np.arange(len(part))) for part in parts))
        if weights is not None:
            weights = np.concatenate([weights, np.ones(len(unlabelled), np.float32)])
    ignore_label = dataset.ignore_label
    if len(labelled) < len(images):
        ignore_label = dataset.no_label
        shown = np.full(len(images), -1)
        shown[labelled] = labelled
        hiding = rows_or_blank(labels, shown, dataset.no_label)
        labels = hiding if labels.ndim > 1 else np.asarray(hiding)
    is_teacher_labelled = "train" in dataset.teacher_labelled
    return TrainingSet(
        images, labels, labelled, dataset.no_label, ignore_label, weights, is_teacher_labelled
    )


def choose_labelled(dataset: PreparedDataset, train_labels: int | None, *, seed: int) -> np.ndarray:
    """Choose the rows of the training split whose labels students see.

    Of two numbers under one seed, the rows of the smaller are, but for rounding within the
    classes, among those of the larger.

    Args:
        train_labels: how many: images, stratified by class, or source images of masks, or 0; None
            is all.

    Returns:
        int64 [rows], ascending.

    Raises:
        DatasetError: fewer than the classes, or more than there are.
    """
    labels, owners = dataset.labels("train"), _owners(dataset, dataset.names("train"))
    if train_labels == 0 or "train" in dataset.teacher_labelled:
        return np.empty(0, np.int64)
    if train_labels is None:
        return np.arange(len(labels))
    units = np.unique(owners)
    strata = np.zeros(len(units)) if task_of(dataset.task).per_pixel else np.asarray(labels)
    if train_labels > len(units):
        raise DatasetError(
            f"data.train_labels is {train_labels}, the training split has {len(units)}; lower it, "
            "or set it to null to show students all labels"
        )
    chosen = sample_stratified(
        strata,
        train_labels,
        seed=seed,
        needed=1,
        stream=_STREAM,
        key="data.train_labels",
        reason="every class has a label",
    )
    return np.flatnonzero(np.isin(owners, units[chosen]))


def count_labels(
    dataset: PreparedDataset, labelled: np.ndarray, *, unlabelled: Sequence[str]
) -> Labels:
    """Count what students are taught with.

    Args:
        labelled: rows of the training split, as of `choose_labelled`.
        unlabelled: names of the images of `data.unlabelled`, or of patches; those of an answered
            training split join them.
    """
    owners = {split: _owners(dataset, dataset.names(split)) for split in SPLITS}
    numbers = {
        split: 0 if split in dataset.teacher_labelled else len(np.unique(owners[split]))
        for split in SPLITS
    }
    without = len(np.unique(_owners(dataset, unlabelled)))
    if "train" in dataset.teacher_labelled:
        without += len(np.unique(owners["train"]))
    train = len(np.unique(owners["train"][labelled]))
    counts = task_of(dataset.task).label_counts(
        rows_of(dataset.labels("train"), labelled), dataset.num_classes
    )
    return Labels(
        train=train,
        hidden=numbers["train"] - train,
        by_class=dict(zip(dataset.class_names, counts.total().tolist(), strict=True)),
        unlabelled=without,
        validation=numbers["validation"],
        calibration=numbers["calibration"],
    )


def _owners(dataset: PreparedDataset, names: Sequence[str]) -> np.ndarray:
    """Number what somebody labels: each image, or of masks the images that patches are of."""
    if not task_of(dataset.task).per_pixel:
        return np.arange(len(names))
    return np.unique([image_of(name) for name in names], return_inverse=True)[1]


def image_of(name: str) -> str:
    """Name the image that a patch is of: what stands before its place."""
    return name.rpartition("[")[0] or name


def write_labelled(path: Path, labelled: np.ndarray) -> None:
    """Write the rows whose labels students see."""
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.save(file, labelled)


def open_labelled(path: Path) -> np.ndarray:
    """Read the rows whose labels students see: int64 [rows].

    Raises:
        DatasetError: the file is missing or damaged.
    """
    try:
        labelled: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read ({error}); run `dvc repro labels`") from None
    return labelled
