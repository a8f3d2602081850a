"""Which slice each test image belongs to, as the source tells, and further test folders."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.errors import DatasetError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.slices import SliceRows
from kdtasks.data.prepared import PreparedDataset, open_prepared
from kdtasks.tasks.registry import task_of

# More values than these are no slices but names, such as those of patients.
_MOST = 50

# Folders below that of a further test folder: as `data/prepared`, all in the test split, and as
# `data/teacher-images`.
PREPARED, TEACHER_IMAGES = "prepared", "teacher-images"


def slice_rows(names: Sequence[str], slices: Mapping[str, str], task: str) -> SliceRows:
    """Say which slice each test image belongs to.

    Args:
        names: of the images, in the order of the rows.
        slices: as of `Source.slices`.
        task: of the dataset.

    Raises:
        DatasetError: there are too many slices, or the images have masks.
    """
    if not slices:
        return SliceRows()
    if task_of(task).per_pixel:
        raise DatasetError(
            f"the source gives slices, and the task is {task}; masks are scored on corruptions "
            "and folders alone (evaluate.slices), take the column out"
        )
    rows = tuple(slices.get(name) for name in names)
    if len(values := sorted({row for row in rows if row})) > _MOST:
        raise DatasetError(
            f"the column of slices has {len(values)} values among the test images, such as "
            f"{values[0]}; at most {_MOST} are scored, name a column that tells fewer kinds of "
            "images apart"
        )
    return SliceRows(test=rows)


def read_parts(path: Path) -> dict[str, NDArray[np.bool_]]:
    """Read which test images are in each slice: bool [N] by name; none where nothing is told."""
    rows = SliceRows.read(path).test if path.is_file() else ()
    slice_names = np.array([name or "" for name in rows])
    return {name: slice_names == name for name in sorted({name for name in rows if name})}


def open_folders(paths: ProjectPaths, names: Iterable[str]) -> dict[str, PreparedDataset]:
    """Open the further test folders of these names, as the stage `slice` wrote them.

    Raises:
        DatasetError: as of `open_prepared`.
    """
    return {name: open_prepared(paths.slice_folder(name) / PREPARED) for name in names}
