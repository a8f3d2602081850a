"""scikit-learn's handwritten digits."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from kdtasks.data.sources import Item, Source, sources
from kdtasks.data.sources.arrays import rows_of

BRIGHTEST = 16


@sources.register
class Digits(Source):
    """scikit-learn's 1,797 handwritten digits of 8×8 pixels, grey."""

    task: ClassVar = "classification"

    name: Literal["digits"] = "digits"

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return tuple("0123456789")

    def items(self, folder: Path) -> Iterator[Item]:
        """List the digits; their values 0…16 are scaled to 0…255."""
        from sklearn import datasets  # takes more than a second

        values, labels = datasets.load_digits(return_X_y=True)
        images = np.rint(values * (255 / BRIGHTEST)).astype(np.uint8).reshape(-1, 8, 8, 1)
        yield from rows_of("digits", images, labels)
