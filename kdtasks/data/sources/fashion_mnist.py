"""Fashion-MNIST from its four official IDX files, or downloaded by Keras."""

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.folders import require_folder
from kdtasks.data.sources import Item, Source, sources
from kdtasks.data.sources.arrays import Half, keras_download, official_items

CLASSES = "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot"

FILES = tuple(
    f"{prefix}-{kind}-ubyte"
    for prefix in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
)

UNSIGNED_BYTE = 0x08


@sources.register
class FashionMnist(Source):
    """Fashion-MNIST, 28×28 grey, with its official test set.

    `data.path` holds the four official files; where it holds none of them, Keras downloads them.
    """

    task: ClassVar = "classification"

    name: Literal["fashion_mnist"] = "fashion_mnist"

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return tuple(CLASSES.split(", "))

    def items(self, folder: Path) -> Iterator[Item]:
        """List the images.

        Raises:
            DatasetError: a file is missing or is not the one expected, or the download failed.
        """
        require_folder(folder, "the folder of the official files, or an empty one")
        names = [*FILES, *(f"{name}.gz" for name in FILES)]
        if any((folder / name).is_file() for name in names):
            train, test = _read_half(folder, "train"), _read_half(folder, "t10k")
        else:
            train, test = keras_download("fashion_mnist", "the files *-ubyte.gz", folder)
        yield from official_items(train, test)


def _read_half(folder: Path, prefix: str) -> Half:
    images = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"), dimensions=3)
    labels = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"), dimensions=1)
    return images[..., None], labels


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DatasetError(
        f"{folder} holds neither {name} nor {name}.gz, but others of the four official files; put "
        "it there, or empty the folder to let Keras download all"
    )


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes, plain or gzipped.

    The format: two zero bytes, the type (0x08: unsigned byte), the number of dimensions, their
    sizes as big-endian int32, then the values (Y. LeCun, the MNIST database).

    Raises:
        DatasetError: the file is damaged, or of another type or number of dimensions.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read ({error}); download it again") from None
    start = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, UNSIGNED_BYTE, dimensions]) or len(content) < start:
        raise DatasetError(
            f"{path} starts with {content[:4].hex(' ') or 'nothing'}, "
            f"00 00 08 {dimensions:02x} was expected; download the official file again"
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">i4", dimensions, offset=4))
    if min(shape) < 0 or len(content) - start != math.prod(shape):
        raise DatasetError(
            f"{path} holds {len(content) - start} values, its header says {shape}; download it "
            "again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
