"""CIFAR-10 from its official files, python or binary version, or downloaded by Keras."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.folders import require_folder
from kdtasks.data.sources import Item, Source, sources
from kdtasks.data.sources.arrays import Half, keras_download, official_items

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"

PYTHON_FOLDER, BINARY_FOLDER = "cifar-10-batches-py", "cifar-10-batches-bin"
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
SIDE, PLANES = 32, 3
VALUES = PLANES * SIDE * SIDE


@sources.register
class Cifar10(Source):
    """CIFAR-10, 32×32 RGB, with its official test set.

    `data.path` holds the official files, python or binary version; where it holds neither, Keras
    downloads them.
    """

    task: ClassVar = "classification"

    name: Literal["cifar10"] = "cifar10"

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return tuple(CLASSES.split())

    def items(self, folder: Path) -> Iterator[Item]:
        """List the images.

        Raises:
            DatasetError: a file is missing or is not the one expected, or the download failed.
        """
        require_folder(folder, f"the folder of {PYTHON_FOLDER}, or an empty one")
        batches = _read_batches(folder)
        if batches:
            *halves, test = batches
            images, labels = zip(*halves, strict=True)
            train = np.concatenate(images), np.concatenate(labels)
        else:
            train, test = keras_download("cifar10", f"the folder {PYTHON_FOLDER}", folder)
        yield from official_items(train, test)


def _read_batches(folder: Path) -> list[Half]:
    """Read the batches of either version, the test set last; none where none of them is there."""
    versions = ((PYTHON_FOLDER, "", _read_python), (BINARY_FOLDER, ".bin", _read_binary))
    for name, suffix, read in versions:
        for candidate in (folder / name, folder):
            paths = [candidate / f"{batch}{suffix}" for batch in BATCHES]
            missing = [path for path in paths if not path.is_file()]
            if len(missing) == len(paths):
                continue
            if missing:
                raise DatasetError(f"{missing[0]} not found; unpack the official archive again")
            return [read(path) for path in paths]
    return []


def _read_python(path: Path) -> Half:
    batch = read_array_pickle(path)
    content = batch if isinstance(batch, dict) else {}
    values = content.get(b"data", content.get("data"))
    labels = content.get(b"labels", content.get("labels"))
    if (
        not isinstance(values, np.ndarray)
        or values.dtype != np.uint8
        or values.ndim != 2
        or values.shape[1] != VALUES
        or not isinstance(labels, list)
        or not all(isinstance(label, int) and 0 <= label < 256 for label in labels)
    ):
        raise DatasetError(
            f"{path} holds no uint8 `data` of {VALUES} values an image with a list `labels`; "
            "download the official archive again"
        )
    return _to_images(values), np.array(labels, np.int64)


def _read_binary(path: Path) -> Half:
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


def read_array_pickle(path: Path) -> Any:
    """Unpickle dicts, lists, numbers, bytes and numpy arrays, as Python 2 or 3 wrote them.

    Raises:
        DatasetError: the file is damaged, or names anything beyond numpy arrays.
    """
    try:
        with path.open("rb") as file:
            return _ArrayUnpickler(file, encoding="bytes").load()
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle raises nearly anything
        raise DatasetError(
            f"{path} cannot be unpickled ({error}); download the official archive again"
        ) from None


def _latin1_bytes(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for `codecs.encode`, by which protocol 2 spells bytes."""
    if encoding not in ("latin1", b"latin1"):
        raise DatasetError(f"an encoding {encoding!r}, only latin1 was expected")
    return text.encode("latin1")


def _dtype(name: Any, align: int = False, copy: int = False) -> np.dtype[Any]:
    """Stand in for `numpy.dtype`: numpy 2.4 began to warn of the 0 and 1 of old flags."""
    return np.dtype(name, align=bool(align), copy=bool(copy))


class _ArrayUnpickler(pickle.Unpickler):
    # an array's own recipe names the function wherever this numpy keeps it
    allowed: ClassVar[dict[str, Any]] = {
        "numpy.core.multiarray._reconstruct": np.empty(0).__reduce__()[0],
        "numpy._core.multiarray._reconstruct": np.empty(0).__reduce__()[0],
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": _dtype,
        "_codecs.encode": _latin1_bytes,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (known := f"{module}.{name}") in self.allowed:
            return self.allowed[known]
        raise DatasetError(
            f"the pickle names {known}, only numpy arrays are allowed since anything else could "
            "run code; download the official archive again"
        )
