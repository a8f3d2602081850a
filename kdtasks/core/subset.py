"""A few of many items, such as an overview shows."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def evenly_spaced(items: Sequence[Item], max_items: int) -> list[Item]:
    """Take at most so many of the items, evenly spread, with the first and the last."""
    indices = np.linspace(0, len(items) - 1, min(max_items, len(items))).round().astype(int)
    return [items[index] for index in indices.tolist()]
