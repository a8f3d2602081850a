"""How many independent images rows in groups are worth."""

import numpy as np
from numpy.typing import NDArray

Groups = NDArray[np.integer]


def members_of(groups: Groups | None, rows: int) -> NDArray[np.int64]:
    """Number the group of each of `rows` rows from 0; None: each is on its own."""
    if groups is None:
        return np.arange(rows)
    members: NDArray[np.int64] = np.unique(groups, return_inverse=True)[1]
    return members


def independent_fraction(
    values: NDArray[np.number], groups: Groups | None, confidence: float
) -> float:
    """Give the fraction of rows that are as good as independent ones for the mean of `values`.

    One over the design effect: the variance of the mean if rows were independent, over that with
    whole groups as units; less for few groups by (z / t)², so that a normal quantile later stands
    for Student's t. Where the values show no spread, groups count once.

    Args:
        values: [N], one a row.
        groups: [N], the group of each row; None: each is on its own.
        confidence: level, 0 … 1 without the ends, of the two-sided interval that is made of it.

    Returns: 1 if every group has one row; else above 0, and 1 at most.

    Source: Korn and Graubard 1998, Survey Methodology 24, 193-201.
    """
    from scipy.special import ndtri, stdtrit  # heavy, and only needed here

    rows, members = len(values), members_of(groups, len(values))
    units = int(members.max()) + 1
    if units == rows:
        return 1.0
    if units == 1:
        return 1 / rows
    excess = values - values.mean()
    by_group = np.bincount(members, weights=excess)
    between = float(by_group @ by_group) * units / (units - 1)
    worth = min(1.0, float(excess @ excess) / between) if between > 0 else units / rows
    tail = 0.5 + confidence / 2
    return worth * float(ndtri(tail) / stdtrit(units - 1, tail)) ** 2
