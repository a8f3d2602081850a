"""From `params.data` to a checked dataset."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.events import span
from kdtasks.core.files import atomic_folder, write_lists
from kdtasks.core.records.data import Dataset, SplitCounts
from kdtasks.core.text import and_list, quantity
from kdtasks.data.checks import (
    exclude_absent_classes,
    exclude_contradictions,
    exclude_leaks,
    mark_groups,
    refuse_unusable,
)
from kdtasks.data.decoded_images import DecodedImages
from kdtasks.data.groups import count_groups, renumbered
from kdtasks.data.prepared import (
    DESCRIPTION,
    NAMES,
    SPLITS,
    PreparedDataset,
    file_name,
    open_prepared,
)
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.read import read_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.spool import chosen
from kdtasks.data.stacked_rows import rows_of, write_rows
from kdtasks.tasks.imbalance import BALANCE_ADVICE, METRIC_ADVICE, uneven_sentence
from kdtasks.tasks.registry import task_of

# From a dataset whose `teacher_labelled` splits wait for the teacher to the labels of those splits.
Answer = Callable[[PreparedDataset], Mapping[str, np.ndarray]]


def load_dataset(params: DataParams, decoded: DecodedImages | None = None) -> RawDataset:
    """Read the dataset, find copies, and leave out or refuse what cannot be used.

    Args:
        params, decoded: as of `read_dataset`.

    Raises:
        DatasetError: it cannot be read, or has problems under `on_bad: fail`.
    """
    return keep_usable(read_grouped_dataset(params, decoded), params)


@span("decoding")
def read_grouped_dataset(params: DataParams, decoded: DecodedImages | None = None) -> RawDataset:
    """Read the dataset and find copies; its `groups` keep together what is no independent image.

    Args:
        params, decoded: as of `read_dataset`.

    Raises:
        DatasetError: it cannot be read.
    """
    return mark_groups(read_dataset(params, decoded), near=params.near_copies)


def keep_usable(dataset: RawDataset, params: DataParams) -> RawDataset:
    """Leave out or refuse what cannot be used of a dataset as of `read_grouped_dataset`.

    Returns:
        A dataset with two classes at least, each with an image unless the teacher is yet to answer.

    Raises:
        DatasetError: it has problems under `on_bad: fail`.
    """
    if params.source.refuses_contradictions:
        dataset = exclude_contradictions(dataset)
    if not params.source.teacher_labelled:
        dataset = exclude_absent_classes(dataset)
    refuse_unusable(dataset, params)
    return exclude_leaks(dataset)


def write_prepared(
    folder: Path,
    dataset: RawDataset,
    split: dict[str, np.ndarray],
    params: DataParams,
    answer: Answer | None = None,
) -> None:
    """Write the splits, `names.json` and `dataset.json`; the folder appears whole or not at all.

    Args:
        folder: usually `data/prepared`.
        dataset: as of `load_dataset`.
        split: rows of each split, as of `split_dataset`.
        params: section `data`.
        answer: labels the splits without labels; None where there are none.
    """
    hashes = {}
    with atomic_folder(folder) as partial:
        for name in SPLITS:
            for kind, array in _arrays(dataset, split[name], name).items():
                path = partial / file_name(name, kind)
                hashes[path.name] = write_rows(path, array)
        names = {name: chosen(dataset.origins, split[name]) for name in SPLITS}
        write_lists(partial / NAMES, names)
        record = describe(dataset, split, params, hashes)
        record.write(partial / DESCRIPTION)
        if answer:
            _write_answers(partial, record, answer(open_prepared(partial)))


def describe(
    dataset: RawDataset,
    split: Mapping[str, np.ndarray],
    params: DataParams,
    hashes: Mapping[str, str] = {},
) -> Dataset:
    """Say what a dataset holds.

    Args:
        dataset, split, params: as of `write_prepared`.
        hashes: of the arrays, by file name.
    """
    return Dataset(
        name=params.source.name,
        task=dataset.task,
        class_names=dataset.class_names,
        image_shape=dataset.images.shape[1:],
        ignore_label=dataset.ignore_label,
        counts=split_counts(dataset, split),
        sha256=dict(hashes),
        duplicates=dataset.duplicates,
        contradictions=tuple(found for found in dataset.duplicates if found.contradicts),
        excluded=tuple(sorted([*dataset.problems, *dataset.excluded])),
        groups=count_groups(_groups(dataset)),
        split_by=_split_by(dataset, params),
        deep_range=dataset.deep_range,
        notes=dataset.notes,
        warnings=dataset.warnings,
        teacher_labelled=params.source.teacher_labelled,
    )


def _write_answers(folder: Path, record: Dataset, answers: Mapping[str, np.ndarray]) -> None:
    """Put a teacher's answers in the place of labels: files, hashes and counts."""
    hashes, counts = dict(record.sha256), dict(record.counts)
    for split, labels in answers.items():
        path = folder / file_name(split, "labels")
        hashes[path.name] = write_rows(path, labels)
        found = task_of(record.task).label_counts(labels, len(record.class_names)).total()
        by_class = dict(zip(record.class_names, found.tolist(), strict=True))
        counts[split] = counts[split].model_copy(update={"by_class": by_class})
    record.model_copy(update={"sha256": hashes, "counts": counts}).write(folder / DESCRIPTION)


def _arrays(dataset: RawDataset, rows: np.ndarray, split: str) -> dict[str, Any]:
    """Take a split's arrays; its groups are numbered from 0 as they come."""
    numbers = renumbered(_groups(dataset)[rows])
    arrays = {
        "images": rows_of(dataset.images, rows),
        "labels": rows_of(dataset.labels, rows),
        "groups": numbers.astype(np.int32),
    }
    if split == "train" and dataset.weights is not None:
        arrays["weights"] = dataset.weights[rows]
    return arrays


def _groups(dataset: RawDataset) -> np.ndarray:
    return np.arange(len(dataset)) if dataset.groups is None else dataset.groups


def split_counts(dataset: RawDataset, split: Mapping[str, np.ndarray]) -> dict[str, SplitCounts]:
    """Count rows, and images or pixels by class, of every split."""
    weights = dataset.label_counts()
    counts = {}
    for name, rows in split.items():
        by_class = weights.take(rows).total().tolist()
        named = dict(zip(dataset.class_names, by_class, strict=True))
        groups = len(np.unique(_groups(dataset)[rows]))
        counts[name] = SplitCounts(
            total=len(rows), by_class=named, groups=groups if groups < len(rows) else None
        )
    return counts


def uneven_message(record: Dataset) -> str | None:
    """Say that accuracy says little where classes are uneven, and what does; None of other data.

    Only labels are counted, and where no test image has one there is no accuracy to speak of.
    """
    if task_of(record.task).per_pixel or "test" in record.teacher_labelled:
        return None
    labelled = {
        name: found for name, found in record.counts.items() if name not in record.teacher_labelled
    }
    counts = [found.by_class for found in labelled.values()]
    together = {name: sum(each[name] for each in counts) for name in record.class_names}
    if not (sentence := uneven_sentence(together)):
        return None
    present = [name for name in together if together[name]]
    rarest = min(present, key=lambda name: together[name])
    balance = (
        ""
        if "train" in record.teacher_labelled
        else f", and {BALANCE_ADVICE} makes up for rare ones"
    )
    message = f"{sentence}; {METRIC_ADVICE} compares models by the mean recall of the classes"
    if "test" not in record.counts:
        return f"{message}{balance}"
    tested = record.counts["test"].by_class[rarest]
    return (
        f"{message}{balance}. The recall of {rarest} will rest on {quantity(tested, 'test image')}"
    )


def _split_by(dataset: RawDataset, params: DataParams) -> str:
    """Say in words what was kept together."""
    what = "image" if task_of(dataset.task).per_pixel else "class"
    if params.source.teacher_labelled:
        what = "chance"
    if dataset.given is not None:
        given = and_list([name for name in SPLITS if name in dataset.given])
        what += f", beside the given {given} set"
    together = ["patches of one image"] if task_of(dataset.task).per_pixel else []
    together += ["equal images"] + ["near copies"] * params.near_copies
    together += [f"groups by {params.group_by!r}"] * (params.group_by is not None)
    return f"{what}; {and_list(together)} are in one split"
