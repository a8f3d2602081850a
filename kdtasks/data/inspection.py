"""Go through a dataset as `prepare` would, and write nothing: what `kdtasks data` shows."""

from typing import NamedTuple

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Dataset
from kdtasks.core.text import quantity
from kdtasks.data.findings import Look, look_at
from kdtasks.data.prepare import describe, marked_dataset, usable_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset

# What stands in the place of splits, where there are none.
UNDIVIDED = "all"


class Inspection(NamedTuple):
    """What was found.

    Attributes:
        record: as `prepare` would write it, without hashes; of a dataset that it would refuse all
            images are in the split `all`.
        split_of: split of each image by its name; of those left out there is none.
        problems: files that stop `prepare` under `on_bad: fail`; `record.excluded` has them.
        refused: why `prepare` would refuse the dataset; None where it would not, but for problems.
    """

    record: Dataset
    split_of: dict[str, str]
    look: Look
    problems: int
    refused: str | None


def inspect_data(params: DataParams) -> Inspection:
    """Read a dataset, split it, and look at it; bad files are passed over and listed.

    Raises:
        DatasetError: it cannot be read at all, or holds no image that can be.
    """
    patient = params.model_copy(update={"on_bad": "skip"})
    marked = marked_dataset(patient)
    if not len(marked):
        bad = marked.problems[:1]
        example = f", such as {bad[0].path}: {bad[0].problem}" if bad else ""
        raise DatasetError(
            f"{params.path} holds no image that can be used; "
            f"{quantity(len(marked.problems), 'problem')}{example}"
        )
    refused = None
    try:
        dataset = usable_dataset(marked, patient)
        split = split_dataset(dataset, params.split, seed=params.seed)
    except DatasetError as error:
        refused, dataset = str(error), marked
        split = {UNDIVIDED: np.arange(len(marked))}
    return Inspection(
        describe(dataset, split, params),
        {dataset.origins[row]: name for name, rows in split.items() for row in rows.tolist()},
        look_at(marked),
        len(dataset.problems),
        refused,
    )
