"""Deal whole groups out to splits so that every class is shared as wished."""

import numpy as np

ATTEMPTS = 20
UNASSIGNED = -1


def assign_groups(
    weights: np.ndarray, sizes: np.ndarray, shares: np.ndarray, *, seed: int
) -> np.ndarray | None:
    """Assign every group to a split, stratified: shares hold for all rows and for each class.

    First every split gets a group of every class, rarest class first; then the other groups
    follow, largest first, each to the split where it lessens Σ (share filled − share wished)² /
    share wished the most, summed over rows and classes. For groups of one row this is the
    Sainte-Laguë method; for pictures of several classes it goes the way of iterative
    stratification (Sechidis et al., ECML 2011).

    Arguments:
        weights: int [groups, classes], pictures or pixels; every class in as many groups as there
            are splits at least.
        sizes: int [groups], rows of each group.
        shares: float [splits], above 0, adding up to 1.
        seed: of the order in which equal groups come.

    Returns:
        int64 [groups], the split of each; None if no order that was tried gives every class to
        every split.
    """
    columns = np.column_stack([sizes, weights]).astype(np.float64)
    columns /= columns.sum(axis=0)
    for attempt in range(ATTEMPTS):
        order = np.random.default_rng([seed, 2, attempt]).permutation(len(sizes))
        dealt = _deal(columns[order], sizes[order], shares)
        if dealt is not None:
            assigned = np.empty_like(dealt)
            assigned[order] = dealt
            return assigned
    return None


def _deal(columns: np.ndarray, sizes: np.ndarray, shares: np.ndarray) -> np.ndarray | None:
    assigned = np.full(len(sizes), UNASSIGNED)
    filled = np.zeros((len(shares), columns.shape[1]))
    holds = columns[:, 1:] > 0
    for class_index in np.argsort(holds.sum(axis=0), kind="stable"):
        for split in np.argsort(shares, kind="stable"):
            if filled[split, 1 + class_index] > 0:
                continue
            free = np.flatnonzero(holds[:, class_index] & (assigned == UNASSIGNED))
            if not len(free):
                return None
            excess = 2 * (filled[split] - shares[split]) + columns[free]
            group = free[(excess * columns[free]).sum(axis=1).argmin()]
            assigned[group] = split
            filled[split] += columns[group]
    wished = shares[:, None]
    for group in np.argsort(-sizes, kind="stable"):
        if assigned[group] == UNASSIGNED:
            column = columns[group]
            growth = ((2 * (filled - wished) + column) / wished) @ column
            assigned[group] = growth.argmin()
            filled[assigned[group]] += column
    return assigned
