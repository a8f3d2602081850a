"""From `params.data` to a checked dataset."""

import hashlib
from pathlib import Path

import numpy as np

from kdtasks.core.files import atomic_folder, write_json
from kdtasks.core.records.data import Dataset, SplitCounts
from kdtasks.data.checks import (
    exclude_absent_classes,
    exclude_contradictions,
    exclude_leaks,
    mark_duplicates,
    refuse_unusable,
)
from kdtasks.data.prepared import DESCRIPTION, NAMES, SPLITS, file_name
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.read import read_dataset
from kdtasks.data.settings import DataParams
from kdtasks.tasks.registry import task_of


def load_dataset(params: DataParams) -> RawDataset:
    """Read the dataset, find duplicates, and leave out or refuse what cannot be used.

    Returns:
        A dataset with two classes at least, each with an image, whose `groups` keep duplicates
        (and patches of one image) together.

    Raises:
        DatasetError: it cannot be read, or has problems under `on_bad: fail`.
    """
    dataset = mark_duplicates(read_dataset(params))
    if params.source.refuses_contradictions:
        dataset = exclude_contradictions(dataset)
    dataset = exclude_absent_classes(dataset)
    refuse_unusable(dataset, params)
    return exclude_leaks(dataset)


def write_prepared(
    folder: Path, dataset: RawDataset, split: dict[str, np.ndarray], params: DataParams
) -> None:
    """Write the splits, `names.json` and `dataset.json`; the folder appears whole or not at all.

    Args:
        folder: usually `data/prepared`.
        dataset: as of `load_dataset`.
        split: rows of each split, as of `split_dataset`.
        params: section `data`.
    """
    hashes = {}
    with atomic_folder(folder) as partial:
        for name in SPLITS:
            for kind, array in _arrays(dataset, split[name]).items():
                path = partial / file_name(name, kind)
                np.save(path, np.ascontiguousarray(array))
                with path.open("rb") as file:
                    hashes[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        names = {name: [dataset.origins[row] for row in split[name]] for name in SPLITS}
        write_json(partial / NAMES, names)
        Dataset(
            name=params.source.name,
            task=dataset.task,
            class_names=dataset.class_names,
            image_shape=dataset.images.shape[1:],
            ignore_label=dataset.ignore_label,
            counts=split_counts(dataset, split),
            sha256=hashes,
            duplicates=dataset.duplicates,
            contradictions=tuple(found for found in dataset.duplicates if found.contradicts),
            excluded=tuple(sorted([*dataset.problems, *dataset.excluded])),
            split_by=_split_by(dataset),
        ).write(partial / DESCRIPTION)


def _arrays(dataset: RawDataset, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Take a split's arrays; for masks with the image that each patch was cut from."""
    arrays = {"images": dataset.images[rows], "labels": dataset.labels[rows]}
    if task_of(dataset.task).per_pixel:
        groups = np.arange(len(dataset)) if dataset.groups is None else dataset.groups
        numbers = np.unique(groups[rows], return_inverse=True)[1]
        arrays["source_images"] = numbers.astype(np.int32)
    return arrays


def split_counts(dataset: RawDataset, split: dict[str, np.ndarray]) -> dict[str, SplitCounts]:
    """Count rows, and images or pixels by class, of every split."""
    weights = dataset.class_weights()
    counts = {}
    for name, rows in split.items():
        by_class = weights[rows].sum(axis=0).tolist()
        named = dict(zip(dataset.class_names, by_class, strict=True))
        counts[name] = SplitCounts(total=len(rows), by_class=named)
    return counts


def _split_by(dataset: RawDataset) -> str:
    """Say in words what was kept together."""
    if task_of(dataset.task).per_pixel:
        return "image: patches of one image, and equal patches, are in one split"
    if dataset.given is not None:
        names = " and ".join(name for name in SPLITS if name in dataset.given)
        return f"class, beside the official {names} set; equal images are in one split"
    return "class; equal images are in one split"
