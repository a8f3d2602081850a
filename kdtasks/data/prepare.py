"""From `params.data` to a checked source."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kdtasks.core.files import atomic_folder
from kdtasks.core.records.data import Dataset, Duplicate, Problem, SplitCounts
from kdtasks.data.checks import (
    leave_out_absent_classes,
    leave_out_contradictions,
    leave_out_leaks,
    mark_duplicates,
    refuse_unusable,
)
from kdtasks.data.prepared import DESCRIPTION, SPLITS, file_name
from kdtasks.data.settings import DataParams
from kdtasks.data.source import Source
from kdtasks.data.sources.cifar10 import load_cifar10
from kdtasks.data.sources.digits import load_digits, load_mnist_5k
from kdtasks.data.sources.fashion_mnist import load_fashion_mnist
from kdtasks.data.sources.image_folder import load_image_folder
from kdtasks.data.sources.segmentation_folder import load_segmentation_folder

LOADERS: dict[str, Callable[[DataParams], Source]] = {
    "mnist-5k": load_mnist_5k,
    "digits": load_digits,
    "fashion_mnist": load_fashion_mnist,
    "cifar10": load_cifar10,
    "image_folder": load_image_folder,
    "segmentation_folder": load_segmentation_folder,
}


def load_source(params: DataParams) -> Source:
    """Read the dataset, find duplicates, and leave out or refuse what cannot be used.

    Returns:
        A source with two classes at least, each with a picture, whose `groups` keep duplicates
        (and patches of one picture) together.

    Raises:
        DatasetError: the source cannot be read, or has problems under `on_bad: fail`.
    """
    source = mark_duplicates(LOADERS[params.name](params))
    source = leave_out_absent_classes(leave_out_contradictions(source))
    refuse_unusable(source, params)
    return leave_out_leaks(source)


def write_prepared(
    folder: Path, source: Source, split: dict[str, np.ndarray], params: DataParams
) -> None:
    """Write the splits and `dataset.json`; the folder appears whole or not at all.

    Arguments:
        folder: usually `data/prepared`.
        source: as of `load_source`.
        split: rows of each split, as of `split_source`.
        params: section `data`.
    """
    hashes = {}
    with atomic_folder(folder) as partial:
        for name in SPLITS:
            for kind, array in _arrays(source, split[name]).items():
                path = partial / file_name(name, kind)
                np.save(path, array)
                with path.open("rb") as file:
                    hashes[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        duplicates = [Duplicate(**vars(found)) for found in source.duplicates]
        left_out = sorted([*source.problems, *source.left_out])
        Dataset(
            name=params.name,
            task=source.task,
            class_names=source.class_names,
            image_shape=source.images.shape[1:],
            ignore_label=source.ignore_label,
            counts=split_counts(source, split),
            sha256=hashes,
            duplicates=tuple(duplicates),
            contradictions=tuple(found for found in duplicates if len(found.labels) > 1),
            left_out=tuple(Problem(**vars(item)) for item in left_out),
            split_by=_split_by(source),
        ).write(partial / DESCRIPTION)


def _arrays(source: Source, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Take a split's arrays; for masks with the picture that each patch was cut from."""
    arrays = {
        kind: np.ascontiguousarray(array[rows])
        for kind, array in (("images", source.images), ("labels", source.labels))
    }
    if source.task == "segmentation":
        groups = np.arange(len(source)) if source.groups is None else source.groups
        numbers = np.unique(groups[rows], return_inverse=True)[1]
        arrays["pictures"] = numbers.astype(np.int32)
    return arrays


def split_counts(source: Source, split: dict[str, np.ndarray]) -> dict[str, SplitCounts]:
    """Count rows, and pictures or pixels by class, of every split."""
    weights = source.class_weights()
    return {
        name: SplitCounts(
            total=len(rows),
            by_class=dict(zip(source.class_names, weights[rows].sum(axis=0).tolist(), strict=True)),
        )
        for name, rows in split.items()
    }


def _split_by(source: Source) -> str:
    """Say in words what was kept together."""
    if source.task == "segmentation":
        return "picture: patches of one picture, and equal patches, are in one split"
    if source.official_test is not None:
        return "class, beside the official test set; equal pictures are in one split"
    return "class; equal pictures are in one split"
