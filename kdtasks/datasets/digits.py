"""scikit-learn's 1,797 handwritten digits of 8×8."""

import numpy as np

from kdtasks.datasets.arrays import fit_source
from kdtasks.datasets.source import Source
from kdtasks.params.data import DataParams

BRIGHTEST = 16


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
