"""Split a dataset into train, validation, calibration and test."""

from collections.abc import Sequence

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.checks import listed
from kdtasks.data.groups import lowest_positions
from kdtasks.data.prepared import SPLITS
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import SplitParams
from kdtasks.tasks.label_counts import LabelCounts

ATTEMPTS = 20
UNASSIGNED = -1


def split_dataset(dataset: RawDataset, params: SplitParams, *, seed: int) -> dict[str, np.ndarray]:
    """Split by fractions: stratified by class, seeded, groups kept whole.

    Where the dataset has places, they decide, and nothing is stratified.

    A split that some images were given before, such as an official test set, is theirs alone; the
    others take the rest in proportion. Images without a label are not stratified: the teacher's
    answers are no labels, and another teacher would move test images.

    Returns:
        For each split its rows, int64, in an order drawn from the seed: datasets are often sorted
        by class, and whoever takes the first few rows of a split should not meet one class only.

    Raises:
        DatasetError: a class is in too few independent images to be in every split; or, where
            places decide, just not in every one.
    """
    given = np.full(len(dataset), "") if dataset.given is None else dataset.given
    rows = {name: np.flatnonzero(given == name) for name in SPLITS if name in given}
    dealt = tuple(name for name in SPLITS if name not in rows)
    free = np.flatnonzero(given == "")
    fractions = np.array([getattr(params, name) for name in dealt])
    counts = dataset.label_counts()
    for name, own in rows.items():
        _require_classes(counts.take(own).having(), dataset.class_names, (name,))
    generator = np.random.default_rng([seed, 3])
    if not dealt:  # all four were given
        return {name: generator.permutation(rows[name]) for name in SPLITS}
    labels = dataset.groups if dataset.groups is not None else np.arange(len(dataset))
    members = _numbered(labels[free])
    names: Sequence[str] = dataset.class_names
    if not counts.take(free).labelled().any():
        names = ("(without labels)",)
        counts = LabelCounts(np.ones((1, 1), np.int64), np.zeros(len(dataset), np.int32))
    groups = _grouped(counts.take(free), members)
    _require_classes(groups.having()[1:], names, dealt)
    fractions /= fractions.sum()
    assigned: np.ndarray | None
    if dataset.split_positions is not None:
        assigned = assign_by_position(dataset.split_positions[free], members, fractions)
        present = [groups.take(assigned == k).total()[1:] > 0 for k in range(len(dealt))]
        _require_every_class(np.array(present), names, dealt)
    else:
        assigned = stratified_group_split(groups, fractions, seed=seed)
    if assigned is None:
        raise DatasetError(
            f"no way was found to put every class into each of {', '.join(dealt)}, since rare "
            "classes have images in common; add images of the rare classes, or drop one"
        )
    rows |= {name: free[assigned[members] == index] for index, name in enumerate(dealt)}
    return {name: generator.permutation(rows[name]) for name in SPLITS}


def _numbered(groups: np.ndarray) -> np.ndarray:
    """Number groups from 0 by their numbers, as `np.unique` does: int64 [N]."""
    present = np.zeros(groups.max(initial=-1) + 1, bool)
    present[groups] = True
    return (np.cumsum(present) - 1)[groups]


def _grouped(counts: LabelCounts, members: np.ndarray) -> LabelCounts:
    """Count the rows of each group, and behind them what it has of each class.

    Args:
        counts: of rows.
        members: int [N], the group of each row, 0 … groups − 1.

    Returns:
        of groups; those of one row share the kind of their row.
    """
    sizes = np.bincount(members)
    kind_of = np.empty(len(sizes), np.int32)
    kind_of[members] = counts.kind_of
    of_one = np.column_stack([np.ones(len(counts.kinds), np.int64), counts.kinds])
    shared = np.flatnonzero(sizes > 1)
    number = np.zeros(len(sizes), np.int32)
    number[shared] = np.arange(len(shared))
    together = np.zeros((len(shared), of_one.shape[1]), np.int64)
    rows = np.flatnonzero(sizes[members] > 1)
    np.add.at(together, number[members[rows]], of_one[counts.kind_of[rows]])
    kind_of[shared] = len(of_one) + number[shared]
    return LabelCounts(np.concatenate([of_one, together]), kind_of)


def _require_classes(counts: np.ndarray, names: Sequence[str], splits: Sequence[str]) -> None:
    """Refuse classes that are in fewer groups, int [classes], than there are splits."""
    needed = len(splits)
    short = [
        f"class {name}: {count}, {needed - count} more"
        for name, count in zip(names, counts, strict=True)
        if count < needed
    ]
    if short:
        raise DatasetError(
            f"{'these classes have' if len(short) > 1 else 'a class has'} too few independent "
            f"images (copies, groups and patches of one image count once): {needed} are needed, "
            f"one for each of {', '.join(splits)}; add images or drop the class:\n"
            f"{listed(short)}"
        )


def _require_every_class(present: np.ndarray, names: Sequence[str], splits: Sequence[str]) -> None:
    """Refuse classes that are not there in every split, bool [splits, classes]."""
    missing = [
        f"class {names[label]}: nothing in {splits[index]}"
        for index, label in np.argwhere(~present).tolist()
    ]
    if missing:
        raise DatasetError(
            "data.stable_split leaves the splits to the images, and some got none of a class; "
            f"add images of it, or set data.stable_split to false:\n{listed(missing)}"
        )


def stratified_group_split(
    groups: LabelCounts, fractions: np.ndarray, *, seed: int
) -> np.ndarray | None:
    """Assign every group to a split, stratified: fractions hold for all rows and for each class.

    First every split gets a group of every class, rarest class first; then the other groups
    follow, largest first, each to the split where it lessens Σ (fraction filled − wished)² /
    fraction wished the most, summed over rows and classes. For groups of one row this is the
    Sainte-Laguë method; for images of several classes it goes the way of iterative
    stratification (Sechidis et al., ECML 2011).

    Args:
        groups: of each its rows, and behind them its images or pixels of each class; every class
            is in as many groups as there are splits at least.
        fractions: float [splits], above 0, adding up to 1.
        seed: of the order in which equal groups come.

    Returns:
        int8 [groups], the split of each; None if no order that was tried gives every class to
        every split.
    """
    columns = groups.kinds / groups.total()
    sizes = groups.kinds[:, 0]
    for attempt in range(ATTEMPTS):
        order = np.random.default_rng([seed, 2, attempt]).permutation(len(groups.kind_of))
        dealt = _deal(columns, sizes, groups.kind_of[order], fractions)
        if dealt is not None:
            assigned = np.empty_like(dealt)
            assigned[order] = dealt
            return assigned
    return None


def _deal(
    columns: np.ndarray, sizes: np.ndarray, kind_of: np.ndarray, fractions: np.ndarray
) -> np.ndarray | None:
    """Deal groups of some kinds, whose columns and sizes are by kind, in their order."""
    assigned = np.full(len(kind_of), UNASSIGNED, np.int8)
    filled = np.zeros((len(fractions), columns.shape[1]))
    holds = columns[:, 1:] > 0
    having = np.bincount(kind_of, minlength=len(holds)) @ holds
    for class_index in np.argsort(having, kind="stable"):
        of_class = np.flatnonzero(holds[:, class_index][kind_of])
        for split in np.argsort(fractions, kind="stable"):
            if filled[split, 1 + class_index] > 0:
                continue
            free = of_class[assigned[of_class] == UNASSIGNED]
            if not len(free):
                return None
            kinds, kind = np.unique(kind_of[free], return_inverse=True)
            excess = 2 * (filled[split] - fractions[split]) + columns[kinds]
            group = free[(excess * columns[kinds]).sum(axis=1)[kind].argmin()]
            assigned[group] = split
            filled[split] += columns[kind_of[group]]
    wished = fractions[:, None]
    for group in np.argsort(-sizes[kind_of], kind="stable"):
        if assigned[group] == UNASSIGNED:
            column = columns[kind_of[group]]
            growth = ((2 * (filled - wished) + column) / wished) @ column
            assigned[group] = growth.argmin()
            filled[assigned[group]] += column
    return assigned


def assign_by_position(
    positions: np.ndarray, members: np.ndarray, fractions: np.ndarray
) -> np.ndarray:
    """Assign every group to the split in which its lowest position lies.

    The splits divide the line from 0 to 1 in their order. So whatever comes later, also an image
    that joins two groups, moves rows towards the first split only: what was ever trained on is
    never tested on. Fractions hold on average only, and groups of different positions go to
    the first split more often than others.

    Args:
        positions: float [N], as of `split_position`.
        members: int [N], the group of each row, 0 … groups − 1.
        fractions: float [splits], adding up to 1.

    Returns:
        int64 [groups], the split of each.
    """
    return np.searchsorted(
        np.cumsum(fractions)[:-1], lowest_positions(positions, members), side="right"
    )


def sample_stratified(
    strata: np.ndarray,
    number: int,
    *,
    seed: int,
    needed: np.ndarray | int,
    key: str = "data.max_images",
    reason: str = "every split gets an image of every class",
    stream: int = 1,
) -> np.ndarray:
    """Choose at most `number` rows so that every stratum keeps its fraction.

    Args:
        strata: int [N], the stratum of each row.
        number: rows to keep.
        needed: rows that a stratum keeps at least (all that it has, if fewer): one number, or
            one for each stratum in ascending order.
        key, reason: the parameter that the number is from, and why it may be too small.
        stream: number of the random stream, so that two samples of one seed are independent.

    Returns:
        int64 [rows], ascending.

    Raises:
        DatasetError: the number is too small to keep the rows needed.
    """
    if number >= len(strata):
        return np.arange(len(strata))
    _, members, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    least = int(np.minimum(needed, sizes).sum())
    if number < least:
        raise DatasetError(
            f"{key} is {number}, at least {least} are needed so that {reason}; raise it, or set it "
            "to null to take all"
        )
    keep = allocate(number, sizes, needed)
    generator = np.random.default_rng([seed, stream])
    chosen = [
        generator.permutation(np.flatnonzero(members == stratum))[:count]
        for stratum, count in enumerate(keep)
    ]
    return np.sort(np.concatenate(chosen))


def allocate(total: int, sizes: np.ndarray, minimum: np.ndarray | int = 0) -> np.ndarray:
    """Allocate `total` to strata in proportion to `sizes`: at least `minimum`, at most all of each.

    The largest-remainder method (Hare quota), with bounds.

    Args:
        total: number to allocate, at most the sum of `sizes` and at least that of `minimum`.
        sizes: int [strata], how many each stratum has.
        minimum: int [strata] or one number for all.

    Returns:
        int64 [strata], adding up to `total`; without bounds in force each is within one of its
        exact part.
    """
    least = np.minimum(minimum, sizes)
    if not least.sum() <= total <= sizes.sum():
        raise ValueError(f"{total} cannot be allocated between {least.sum()} and {sizes.sum()}")
    exact = total * sizes / sizes.sum()
    counts = np.clip(np.floor(exact).astype(np.int64), least, sizes)
    while counts.sum() < total:
        counts[np.argmax(np.where(counts < sizes, exact - counts, -np.inf))] += 1
    while counts.sum() > total:
        counts[np.argmax(np.where(counts > least, counts - exact, -np.inf))] -= 1
    return counts
