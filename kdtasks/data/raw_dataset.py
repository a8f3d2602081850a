"""What every source is read into before it is split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Duplicate, Problem
from kdtasks.data.spool import chosen
from kdtasks.data.stacked_rows import rows_of
from kdtasks.edge.decoder import Header
from kdtasks.tasks.label_counts import LabelCounts
from kdtasks.tasks.registry import task_of


class UnusableFileError(DatasetError):
    """A file of a dataset cannot be used."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.problem = Problem(path, problem)


@dataclass(frozen=True, eq=False)
class RawDataset:
    """All images of a dataset, at their final size, with what a person should know about them.

    Args:
        task: a name of `kdtasks.tasks.registry.TASKS`.
        images: uint8 [N, height, width, channels], in memory or, as masks are, read by rows.
        labels: int32 [N], or uint8 [N, height, width] with `ignore_label` where unlabelled; the
            task's `unanswered` where the teacher is to answer.
        origins: for each image what tells a person which one it is, say its path.
        problems: what was found wrong; what they name is not among `images`.
        excluded: what else is not among `images`, for no fault of its own.
        groups: int64 [N]; images of equal number must stay in one split; None: all are free.
        given: str objects [N], the split that an image was given before it came here, or ""; None
            where none was.
        weights: float32 [N], how much a row's label counts in training; None where all do alike.
        split_positions: float64 [N], where a row lies on the line that a stable split divides; None
            where the split is not stable.
        duplicates: images with equal pixels, those that were excluded for it too.
        deep_range: of images with 16 bits a channel, the values that became 0 and 255; None where
            there were none.
        headers: the name of an item and what its image's file says of itself, in the order of rows.
        copies: int64 [pairs, 2], rows of near copies; None where nobody has looked for them since
            rows were last taken.
        notes: sentences on what was found out of the files.
        warnings: what a person should look into: sentences.
    """

    task: str
    images: Any
    labels: Any
    class_names: tuple[str, ...]
    origins: Sequence[str]
    ignore_label: int | None = None
    problems: tuple[Problem, ...] = ()
    excluded: tuple[Problem, ...] = ()
    groups: np.ndarray | None = None
    given: np.ndarray | None = None
    weights: np.ndarray | None = None
    split_positions: np.ndarray | None = None
    duplicates: tuple[Duplicate, ...] = ()
    deep_range: tuple[int, int] | None = None
    headers: Sequence[tuple[str, Header]] = ()
    copies: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> "RawDataset":
        """Keep the images of `rows` (indices), in that order."""
        return replace(
            self,
            images=rows_of(self.images, rows),
            labels=rows_of(self.labels, rows),
            origins=chosen(self.origins, rows),
            groups=None if self.groups is None else self.groups[rows],
            given=None if self.given is None else self.given[rows],
            weights=None if self.weights is None else self.weights[rows],
            split_positions=None if self.split_positions is None else self.split_positions[rows],
            copies=None,
        )

    def exclude(self, reasons: dict[int, str], *, fault: bool) -> "RawDataset":
        """Drop images by row; record the reasons as problems if it is their fault."""
        if not reasons:
            return self
        rest = self.take(np.setdiff1d(np.arange(len(self)), list(reasons)))
        found = [Problem(self.origins[row], reason) for row, reason in reasons.items()]
        if fault:
            return replace(rest, problems=tuple(sorted([*self.problems, *found])))
        return replace(rest, excluded=tuple(sorted([*self.excluded, *found])))

    def label_counts(self) -> LabelCounts:
        """Count what each row has of every class, as its task counts."""
        return task_of(self.task).label_counts(self.labels, len(self.class_names))
