"""Let Keras download an official dataset."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kdtasks.errors import DatasetError

if TYPE_CHECKING:
    from kdtasks.datasets.arrays import Half


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
