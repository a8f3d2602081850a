"""Split a source into train, validation, calibration and test."""

import numpy as np

from kdtasks.datasets.assignment import assign_groups
from kdtasks.datasets.checks import listed
from kdtasks.datasets.prepared import SPLITS
from kdtasks.datasets.source import Source
from kdtasks.errors import DatasetError
from kdtasks.params.data import SplitParams


def split_source(source: Source, params: SplitParams, *, seed: int) -> dict[str, np.ndarray]:
    """Split by shares: stratified by class, seeded, groups kept whole.

    An official test set is the test split as it is; the other three share the rest in proportion.

    Returns:
        For each split its rows, int64, in an order drawn from the seed: sources are often sorted
        by class, and whoever takes the first few rows of a split should not meet one class only.

    Raises:
        DatasetError: a class is in too few independent pictures to be in every split.
    """
    is_test = source.official_test
    dealt = SPLITS if is_test is None else SPLITS[:-1]
    free = np.arange(len(source)) if is_test is None else np.flatnonzero(~is_test)
    shares = np.array([getattr(params, name) for name in dealt])
    weights = source.class_weights()
    if is_test is not None:
        _require_classes(weights[is_test] > 0, source.class_names, ("test",))
    labels = source.groups if source.groups is not None else np.arange(len(source))
    _, members = np.unique(labels[free], return_inverse=True)
    sizes = np.bincount(members)
    group_weights = np.zeros((len(sizes), weights.shape[1]), np.int64)
    np.add.at(group_weights, members, weights[free])
    _require_classes(group_weights > 0, source.class_names, dealt)
    assigned = assign_groups(group_weights, sizes, shares / shares.sum(), seed=seed)
    if assigned is None:
        raise DatasetError(
            f"no way was found to put every class into each of {', '.join(dealt)}, since rare "
            "classes share their pictures; add pictures of the rare classes, or drop one"
        )
    rows = {name: free[assigned[members] == place] for place, name in enumerate(dealt)}
    if is_test is not None:
        rows["test"] = np.flatnonzero(is_test)
    generator = np.random.default_rng([seed, 3])
    return {name: generator.permutation(rows[name]) for name in SPLITS}


def _require_classes(
    present: np.ndarray, class_names: tuple[str, ...], splits: tuple[str, ...]
) -> None:
    """Refuse classes that are in fewer groups (bool [groups, classes]) than there are splits."""
    needed = len(splits)
    short = [
        f"class {name}: {count}"
        for name, count in zip(class_names, present.sum(axis=0), strict=True)
        if count < needed
    ]
    if short:
        raise DatasetError(
            f"{'these classes have' if len(short) > 1 else 'a class has'} too few independent "
            f"pictures (duplicates, and patches of one picture, count once): {needed} are needed, "
            f"one for each of {', '.join(splits)}; add pictures or drop the class:\n"
            f"{listed(short)}"
        )
