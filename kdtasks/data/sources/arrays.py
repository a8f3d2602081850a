"""Datasets that come as whole arrays: put together, thinned out and fitted to the params."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.settings import DataParams
from kdtasks.data.source import Source
from kdtasks.data.split import choose_rows
from kdtasks.edge.images import fit_picture

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


def keras_download(name: str, official_files: str, folder: Path) -> tuple["Half", "Half"]:
    """Call Keras's own loader, which keeps what it downloads below the user's home.

    Arguments:
        name: the loader's name in `tf_keras.datasets`.
        official_files: what the user can put into `folder` instead, for the message.
        folder: `data.path`.

    Returns:
        Training and test set, each (images uint8 [N, H, W, C], labels int [N]).

    Raises:
        DatasetError: the download failed.
    """
    from tf_keras import datasets  # imports TensorFlow

    try:
        halves = getattr(datasets, name).load_data()
    except Exception as error:  # Keras raises a bare Exception when it cannot download
        reason = " ".join(str(error).split())
        raise DatasetError(
            f"{folder} holds no {name}, and Keras could not download it ({reason}); put "
            f"{official_files} there, or correct data.path"
        ) from None
    train, test = ((_with_channel(images), labels.reshape(-1)) for images, labels in halves)
    return train, test


def _with_channel(images: np.ndarray) -> np.ndarray:
    return images[..., None] if images.ndim == 3 else images
