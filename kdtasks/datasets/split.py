"""Split a source into train, validation, calibration and test."""

import numpy as np

from kdtasks.datasets.assignment import assign_groups
from kdtasks.datasets.checks import listed
from kdtasks.datasets.content_assignment import assign_by_content
from kdtasks.datasets.prepared import SPLITS
from kdtasks.datasets.source import Source
from kdtasks.errors import DatasetError
from kdtasks.params.data import SplitParams


def split_source(
    source: Source, params: SplitParams, *, seed: int, is_stable: bool = False
) -> dict[str, np.ndarray]:
    """Split by shares: stratified by class, seeded, groups kept whole.

    A stable split is not stratified: each picture's own content decides where it belongs.

    An official test set is the test split as it is; the other three share the rest in proportion.

    Returns:
        For each split its rows, int64, in an order drawn from the seed: sources are often sorted
        by class, and whoever takes the first few rows of a split should not meet one class only.

    Raises:
        DatasetError: a class is in too few independent pictures to be in every split; or, with a
            stable split, just not in every one.
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
    shares /= shares.sum()
    assigned: np.ndarray | None
    if is_stable:
        assigned = assign_by_content(source.images[free], members, shares, seed=seed)
        _require_every_class(group_weights, assigned, source.class_names, dealt)
    else:
        assigned = assign_groups(group_weights, sizes, shares, seed=seed)
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


def _require_every_class(
    weights: np.ndarray,
    assigned: np.ndarray,
    class_names: tuple[str, ...],
    splits: tuple[str, ...],
) -> None:
    """Refuse classes without any weight in a split, to which `assigned` groups belong."""
    gone = [
        f"class {name}: nothing in {split}"
        for place, split in enumerate(splits)
        for name, weight in zip(class_names, weights[assigned == place].sum(axis=0), strict=True)
        if not weight
    ]
    if gone:
        raise DatasetError(
            "data.stable_split leaves the splits to the pictures, and some got none of a class; "
            f"add pictures of it, or set data.stable_split to false:\n{listed(gone)}"
        )
