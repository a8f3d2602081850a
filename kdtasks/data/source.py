"""What every dataset is read into before it is split."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.tasks.registry import task_of

SYSTEM_FILES = frozenset(["thumbs.db", "desktop.ini"])


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with the source: where (`path`) and what (`problem`)."""

    path: str
    problem: str


@dataclass(frozen=True)
class Duplicate:
    """Pictures with equal pixels, by origin, and the distinct labels that they bear."""

    pictures: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def contradicts(self) -> bool:
        """Whether the same picture bears more than one label."""
        return len(self.labels) > 1


@dataclass(frozen=True, eq=False)
class Source:
    """All pictures of a dataset, at their final size, with what a person should know about them.

    Arguments:
        task: a name of `kdtasks.tasks.registry.TASKS`.
        images: uint8 [N, height, width, channels].
        labels: int32 [N], or uint8 [N, height, width] with `ignore_label` where unlabelled.
        origins: for each picture what tells a person which one it is, say its path.
        problems: what was found wrong; what they name is not among `images`.
        left_out: what else is not among `images`, for no fault of its own.
        groups: int64 [N]; pictures of equal number must stay in one split; None: all are free.
        official_test: bool [N], true for the official test set; None where there is none.
        duplicates: pictures with equal pixels, those that were left out for it included.
        contradictions_are_problems: whether one picture under two labels is the user's to mend.
    """

    task: str
    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    origins: tuple[str, ...]
    ignore_label: int | None = None
    problems: tuple[Problem, ...] = ()
    left_out: tuple[Problem, ...] = ()
    groups: np.ndarray | None = None
    official_test: np.ndarray | None = None
    duplicates: tuple[Duplicate, ...] = ()
    contradictions_are_problems: bool = False

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> "Source":
        """Keep the pictures of `rows` (indices), in that order."""
        return replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows],
            origins=tuple(self.origins[row] for row in rows),
            groups=None if self.groups is None else self.groups[rows],
            official_test=None if self.official_test is None else self.official_test[rows],
        )

    def leave_out(self, reasons: dict[int, str], *, fault: bool) -> "Source":
        """Drop pictures by row; record the reasons as problems if it is their fault."""
        if not reasons:
            return self
        found = [Problem(self.origins[row], reason) for row, reason in reasons.items()]
        rest = self.take(np.setdiff1d(np.arange(len(self)), list(reasons)))
        if fault:
            return replace(rest, problems=tuple(sorted([*self.problems, *found])))
        return replace(rest, left_out=tuple(sorted([*self.left_out, *found])))

    def class_weights(self) -> np.ndarray:
        """Count what each row has of every class, as its task counts: int64 [N, classes]."""
        return task_of(self.task).label_counts(self.labels, len(self.class_names))


def visible_entries(folder: Path) -> list[Path]:
    """List what is in a folder, by name; hidden entries and the systems' own files are not."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in SYSTEM_FILES
    )


def origin_of(path: Path, root: Path) -> str:
    """Name a path below `root`; bytes that are no UTF-8 are spelled out."""
    return path.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode()


def require_folder(folder: Path, purpose: str) -> Path:
    """Return `folder` if it is one.

    Raises:
        DatasetError: it is missing or is a file.
    """
    if not folder.is_dir():
        found = "a file" if folder.is_file() else "not there"
        raise DatasetError(f"{folder} is {found}, {purpose} was expected; correct data.path")
    return folder
