"""Datasets that come as whole arrays: put together, thinned out and fitted to the params."""

from dataclasses import replace

import numpy as np

from kdtasks.datasets.choice import choose_rows
from kdtasks.datasets.picture import fit_picture
from kdtasks.datasets.source import Source
from kdtasks.errors import DatasetError
from kdtasks.params.data import DataParams

Half = tuple[np.ndarray, np.ndarray]


def official_source(train: Half, test: Half, class_names: tuple[str, ...]) -> Source:
    """Join an official training and test set, each (images [N, H, W, C], labels [N]).

    Raises:
        DatasetError: numbers of pictures and labels differ, or a label names no class.
    """
    for name, (images, labels) in (("train", train), ("test", test)):
        if len(images) != len(labels):
            raise DatasetError(
                f"the {name} set has {len(images)} pictures and {len(labels)} labels, one a "
                "picture was expected; download the official files again"
            )
        if len(labels) == 0:
            raise DatasetError(f"the {name} set is empty; download the official files again")
        if labels.min() < 0 or labels.max() >= len(class_names):
            raise DatasetError(
                f"the {name} set has labels from {labels.min()} to {labels.max()}, "
                f"0…{len(class_names) - 1} were expected; download the official files again"
            )
    sizes = {"train": len(train[0]), "test": len(test[0])}
    return Source(
        task="classification",
        # Contiguous, since CIFAR-10's planes come as a transposed view, slow to walk by picture.
        images=np.ascontiguousarray(np.concatenate([train[0], test[0]])),
        labels=np.concatenate([train[1], test[1]]).astype(np.int32),
        class_names=class_names,
        origins=tuple(f"{name}[{row}]" for name, size in sizes.items() for row in range(size)),
        official_test=np.repeat([False, True], list(sizes.values())),
    )


def fit_source(source: Source, params: DataParams) -> Source:
    """Apply `max_images`, `image_size` and `channels` to a classification dataset of arrays."""
    is_test = source.official_test
    strata, needed = source.labels, np.array(4)
    if is_test is not None:
        strata = 2 * source.labels + is_test
        needed = np.where(np.unique(strata) % 2, 1, 3)
    rows = choose_rows(strata, params.max_images, seed=params.seed, needed=needed)
    if len(rows) < len(source):
        source = source.take(rows)
    height, width, channels = source.images.shape[1:]
    image_size = params.image_size or (height, width)
    channels = params.channels or channels
    shape = (*image_size, channels)
    if source.images.shape[1:] == shape:
        return source
    images = np.empty((len(source), *shape), np.uint8)
    for row, image in enumerate(source.images):
        images[row] = fit_picture(image, image_size=image_size, channels=channels)
    return replace(source, images=images)
