"""Further folders of labelled test images, such as of the night, read as the dataset is."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError, did_you_mean
from kdtasks.core.events import span
from kdtasks.core.text import and_list, quantity
from kdtasks.data.checks import exclude_contradictions, first_equal, mark_groups, refuse_unusable
from kdtasks.data.decoded_images import DecodedImages
from kdtasks.data.folders import require_folder
from kdtasks.data.groups import number_groups
from kdtasks.data.labels import image_of
from kdtasks.data.leaks import Pieces, find_leaks
from kdtasks.data.links import find_links
from kdtasks.data.prepared import SPLITS, UNLABELLED, PreparedDataset
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.read import read_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.stacked_rows import StackedRows
from kdtasks.data.unlabelled import open_unlabelled, unlabelled_names
from kdtasks.tasks.registry import task_of

_KEY = "evaluate.slices.folders"


def settings_of(folder: Path, params: DataParams, dataset: PreparedDataset) -> DataParams:
    """Give the section `data` that reads a further folder as `params` read the dataset."""
    height, width, channels = dataset.image_shape
    size = params.image_size if task_of(dataset.task).per_pixel else (height, width)
    changed = {"path": str(folder), "source": params.source.for_folder(), "image_size": size}
    changed |= {"channels": channels, "max_images": None, "stable_split": False}
    return params.model_copy(update=changed)


@span("decoding")
def read_slice_folder(
    settings: DataParams,
    dataset: PreparedDataset,
    unlabelled: Path,
    decoded: DecodedImages | None = None,
) -> RawDataset:
    """Read a further folder of labelled test images, whose classes are some of the dataset's.

    An image that models are trained or chosen by, or thresholds are, is excluded with all that a
    chain of near copies leads to, as from `data.unlabelled`; one of the test split may be there.

    Args:
        settings: as of `settings_of`.
        dataset: what `prepare` wrote.
        unlabelled: the folder of images without a label, as of `write_unlabelled`.
        decoded: images that need not be decoded again.

    Raises:
        DatasetError: an image cannot be used, under `on_bad: fail`; one has a class that the
            dataset lacks, or more than 8 bits that the dataset's range does not hold; there is a
            linked folder; or none of the images is left.
    """
    folder = require_folder(Path(settings.path), "a folder of labelled test images", key=_KEY)
    if links := find_links([str(folder)]):
        raise DatasetError(
            f"{links[0]} leads to another place, where DVC would not see that an image has "
            f"changed; put the images themselves into {folder}"
        )
    raw = read_dataset(settings, decoded)
    own, range_ = raw.deep_range, dataset.deep_range
    if settings.range is None and own and range_ and own != range_:
        if own[1] > range_[1]:
            raise DatasetError(
                f"{folder} holds 16 bits a channel up to {own[1]:,}, and {range_[1]:,} is white by "
                "the largest value of data.path; set data.range to what holds for both"
            )
        raw = read_dataset(settings.model_copy(update={"range": range_}), decoded)
    raw = _renumber_classes(mark_groups(raw, near=settings.near_copies), dataset, folder)
    if settings.source.refuses_contradictions:
        raw = exclude_contradictions(raw)
    refuse_unusable(raw, settings)
    if not len(raw):
        raise DatasetError(f"{folder} holds no image that can be used; correct {_KEY}")
    kept = raw.exclude(_leaks(raw, dataset, unlabelled, settings), fault=False)
    if not len(kept):
        first = kept.excluded[0]
        raise DatasetError(
            f"{folder}: each of its {quantity(len(raw), 'image')} is excluded, such as "
            f"{first.path}: {first.problem}; name a folder of other images in {_KEY}"
        )
    return replace(kept, given=None)


def all_test(raw: RawDataset) -> dict[str, np.ndarray]:
    """Give all rows to the test split."""
    return {name: np.arange(len(raw) if name == "test" else 0) for name in SPLITS}


def _renumber_classes(raw: RawDataset, dataset: PreparedDataset, folder: Path) -> RawDataset:
    """Number classes as the dataset does."""
    names = dataset.class_names
    present = raw.label_counts().total() > 0
    for name in np.array(raw.class_names)[present].tolist():
        if name not in names:
            raise DatasetError(
                f"{folder} holds images of {name}, no class of the dataset"
                f"{did_you_mean(name, names)}; its classes are {and_list(list(names))}"
            )
    numbers = [names.index(name) if name in names else 0 for name in raw.class_names]
    labels = task_of(raw.task).relabel(raw.labels, np.array(numbers, int))
    return replace(raw, labels=labels, class_names=names)


def _leaks(
    raw: RawDataset, dataset: PreparedDataset, unlabelled: Path, settings: DataParams
) -> dict[int, str]:
    """Say by row why an image is no test of models that were made with the dataset."""
    splits = [name for name in SPLITS if name != "test"]
    parts = [*map(dataset.images, splits), open_unlabelled(unlabelled)]
    origins = [name for split in splits for name in dataset.names(split)]
    origins += [name.removeprefix(UNLABELLED) for name in unlabelled_names(unlabelled)]
    images = StackedRows(*((array, np.arange(len(array))) for array in parts))
    used = RawDataset(
        raw.task, images, np.zeros(len(images), int), dataset.class_names, tuple(origins)
    )
    owners = raw.origins
    if task_of(raw.task).per_pixel:
        owners = tuple(map(image_of, owners))
    both = [(array, np.arange(len(array))) for array in (images, raw.images)]
    first = first_equal(StackedRows(*both))[len(images) :]
    pieces = Pieces(raw.origins, raw.images, number_groups(owners), first)
    return {
        row: f"{how} {origins[twin]}, which models are trained or chosen by"
        for row, (how, twin) in find_leaks(pieces, used, np.arange(len(images)), settings).items()
    }
