"""Go through a dataset as `prepare` would, and write nothing: what `kdtasks data` shows."""

from typing import NamedTuple

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Dataset
from kdtasks.core.text import quantity
from kdtasks.data.findings import DataOverview, overview_of
from kdtasks.data.prepare import describe, keep_usable, read_grouped_dataset
from kdtasks.data.proposal import Proposal
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset
from kdtasks.tasks.registry import task_of

# Sizes that images are looked at in: enough to find near copies and to see what is on them.
LOOK_SIZE, MASK_LOOK_SIZE = (96, 96), (256, 256)
# Images that are looked at, at most: all of a million would not fit into memory.
LOOK_IMAGES = 20_000
_SPLIT = {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}
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
    overview: DataOverview
    problems: int
    refused: str | None


def inspection_params(proposal: Proposal) -> DataParams:
    """Read what was proposed in sizes to look at, with everything else at its default."""
    source, folder = proposal.with_links_resolved()
    size = MASK_LOOK_SIZE if task_of(source.task).per_pixel else LOOK_SIZE
    content = {"source": source, "path": str(folder), "image_size": size, "channels": 3}
    if proposal.unlabelled:
        content["unlabelled"] = str(proposal.unlabelled)
    return DataParams.model_validate(content | {"max_images": LOOK_IMAGES, "split": _SPLIT})


def inspect_data(params: DataParams) -> Inspection:
    """Read a dataset, split it, and look at it; bad files are passed over and listed.

    Raises:
        DatasetError: it cannot be read at all, or holds no image that can be.
    """
    patient = params.model_copy(update={"on_bad": "skip"})
    marked = read_grouped_dataset(patient)
    if not len(marked):
        bad = marked.problems[:1]
        example = f", such as {bad[0].path}: {bad[0].problem}" if bad else ""
        raise DatasetError(
            f"{params.path} holds no image that can be used; "
            f"{quantity(len(marked.problems), 'problem')}{example}"
        )
    refused = None
    try:
        dataset = keep_usable(marked, patient)
        split = split_dataset(dataset, params.split, seed=params.seed)
    except DatasetError as error:
        refused, dataset = str(error), marked
        split = {UNDIVIDED: np.arange(len(marked))}
    return Inspection(
        describe(dataset, split, params),
        {dataset.origins[row]: name for name, rows in split.items() for row in rows.tolist()},
        overview_of(marked),
        len(dataset.problems),
        refused,
    )
