"""Which slice each test image belongs to, as the source tells."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.slices import SliceRows
from kdtasks.tasks.registry import task_of

# More values than these are no slices but names, such as those of patients.
_MOST = 50


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
            "alone (evaluate.slices), take the column out"
        )
    rows = tuple(slices.get(name) for name in names)
    if len(told := sorted({row for row in rows if row})) > _MOST:
        raise DatasetError(
            f"the column of slices has {len(told)} values among the test images, such as "
            f"{told[0]}; at most {_MOST} are scored, name a column that tells fewer kinds of "
            "images apart"
        )
    return SliceRows(test=rows)


def read_parts(path: Path) -> dict[str, NDArray[np.bool_]]:
    """Read which test images are in each slice: bool [N] by name; none where nothing is told."""
    rows = SliceRows.read(path).test if path.is_file() else ()
    there = np.array([name or "" for name in rows])
    return {name: there == name for name in sorted({name for name in rows if name})}
