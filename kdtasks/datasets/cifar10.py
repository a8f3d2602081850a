"""CIFAR-10 from its official files, python or binary version, or downloaded by Keras."""

from pathlib import Path

import numpy as np

from kdtasks.datasets.array_pickle import read_array_pickle
from kdtasks.datasets.arrays import Half, fit_source, official_source
from kdtasks.datasets.keras_download import keras_download
from kdtasks.datasets.listing import require_folder
from kdtasks.datasets.source import Source
from kdtasks.errors import DatasetError
from kdtasks.params.data import DataParams

CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
PYTHON_FOLDER, BINARY_FOLDER = "cifar-10-batches-py", "cifar-10-batches-bin"
TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_BATCH = "test_batch"
SIDE, PLANES = 32, 3
VALUES = PLANES * SIDE * SIDE


def load_cifar10(params: DataParams) -> Source:
    """Read the pictures, 32×32 RGB, with their official test set.

    Keras downloads them where `data.path` holds neither version of the official files.

    Raises:
        DatasetError: a file is missing or is not the one expected, or the download failed.
    """
    root = require_folder(Path(params.path), f"the folder of {PYTHON_FOLDER}, or an empty one")
    found = _find(root)
    if found is None:
        train, test = keras_download("cifar10", f"the folder {PYTHON_FOLDER}", root)
        return fit_source(official_source(train, test, CLASS_NAMES), params)
    folder, suffix = found
    read = _read_binary if suffix else _read_python
    halves = [read(folder / f"{name}{suffix}") for name in (*TRAIN_BATCHES, TEST_BATCH)]
    images, labels = zip(*halves[:-1], strict=True)
    train = np.concatenate(images), np.concatenate(labels)
    return fit_source(official_source(train, halves[-1], CLASS_NAMES), params)


def _find(folder: Path) -> tuple[Path, str] | None:
    """Find the folder of the batches, or of some of them, and the ending of their names."""
    for name, suffix in ((PYTHON_FOLDER, ""), (BINARY_FOLDER, ".bin")):
        for candidate in (folder / name, folder):
            batches = [candidate / f"{batch}{suffix}" for batch in (*TRAIN_BATCHES, TEST_BATCH)]
            if any(path.is_file() for path in batches):
                return candidate, suffix
    return None


def _read_python(path: Path) -> Half:
    batch = read_array_pickle(path)
    values = batch.get(b"data", batch.get("data")) if isinstance(batch, dict) else None
    labels = batch.get(b"labels", batch.get("labels")) if isinstance(batch, dict) else None
    if (
        not isinstance(values, np.ndarray)
        or values.dtype != np.uint8
        or values.ndim != 2
        or values.shape[1] != VALUES
        or not isinstance(labels, list)
        or not all(isinstance(label, int) and 0 <= label < 256 for label in labels)
    ):
        raise DatasetError(
            f"{path} holds no uint8 `data` of {VALUES} values a picture with a list `labels`; "
            "download the official archive again"
        )
    return _to_images(values), np.array(labels, np.int64)


def _read_binary(path: Path) -> Half:
    if not path.is_file():
        raise DatasetError(f"{path} is not there; unpack the official archive again")
    content = np.fromfile(path, np.uint8)
    if len(content) % (1 + VALUES):
        raise DatasetError(
            f"{path} has {len(content)} bytes, a multiple of {1 + VALUES} was expected; unpack the "
            "official archive again"
        )
    rows = content.reshape(-1, 1 + VALUES)
    return _to_images(rows[:, 1:]), rows[:, 0].astype(np.int64)


def _to_images(values: np.ndarray) -> np.ndarray:
    """Turn rows of red, green and blue planes into [N, 32, 32, 3]."""
    return values.reshape(-1, PLANES, SIDE, SIDE).transpose(0, 2, 3, 1)
