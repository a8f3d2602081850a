"""What sources of whole arrays share: their rows as items, Keras's downloads."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.sources import Item

Half = tuple[np.ndarray, np.ndarray]


def rows_of(
    name: str, images: np.ndarray, labels: np.ndarray, split: str | None = None
) -> Iterator[Item]:
    """List the rows of an array, uint8 [N, height, width, channels], with their labels [N].

    Raises:
        DatasetError: their numbers differ, or are 0.
    """
    if len(images) != len(labels) or not len(images):
        raise DatasetError(
            f"the {name} set has {len(images)} images and {len(labels)} labels, one an image "
            "was expected; download the official files again"
        )
    for row, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        yield Item(f"{name}[{row}]", image, label, split)


def official_items(train: Half, test: Half) -> Iterator[Item]:
    """List an official training set, which is left to `data.split`, and an official test set.

    Args:
        train: images and labels, as `rows_of` takes them.
        test: the same.
    """
    yield from rows_of("train", *train)
    yield from rows_of("test", *test, split="test")


def keras_download(name: str, official_files: str, folder: Path) -> tuple[Half, Half]:
    """Call Keras's own loader, which keeps what it downloads below the user's home.

    Args:
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
    train, test = (
        (images[..., None] if images.ndim == 3 else images, labels.reshape(-1))
        for images, labels in halves
    )
    return train, test
