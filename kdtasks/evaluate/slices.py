"""One model's answers to the plain test split and to slices of it, paired image by image."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.records.slices import ComparedSlice, SliceScore
from kdtasks.evaluate.clusters import independent_fraction, members_of
from kdtasks.evaluate.intervals import (
    Interval,
    gain_interval,
    has_spread,
    seeds_interval,
    wilson_interval,
)
from kdtasks.evaluate.jackknife import FEWEST_IMAGES, jackknife_interval, pseudo_values

PLAIN = "plain"
_ARRAYS = "slice_names", "slice_values", "slice_units"


class Change(NamedTuple):
    """What compression changes on a slice.

    Attributes:
        change: the score of the variant less that of its network.
        interval: of the change, over test images; None of too few.
        excess: the change less that on the plain split.
        p_value: that the excess is luck, two-sided; None of too few images.
    """

    change: float
    interval: Interval | None
    excess: float
    p_value: float | None


@dataclass(frozen=True)
class Tally(ABC):
    """The answers of one model, as what its task makes intervals of.

    Attributes:
        names: of the slices, `PLAIN` first.
        values: [slices, …], in the order of the names.
        units: what more an interval depends on.
    """

    per_pixel: ClassVar[bool]
    names: tuple[str, ...]
    values: NDArray[Any]
    units: NDArray[np.integer]

    @abstractmethod
    def score(self, name: str, confidence: float) -> SliceScore:
        """Give the score on a slice, with its interval over test images."""

    @abstractmethod
    def change(self, network: Self, name: str, confidence: float) -> Change:
        """Compare with the network that this model was made of.

        Args:
            network: on the same slices of the same images.
        """

    def scores(self, confidence: float) -> dict[str, SliceScore]:
        """Give `score` of every slice."""
        return {name: self.score(name, confidence) for name in self.names}

    def mean(self, others: Sequence[Self]) -> Self:
        """Give the mean of this model and others of the same kind, such as other seeds."""
        return replace(self, values=np.mean([self.values, *(it.values for it in others)], axis=0))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give it as arrays to be written beside others."""
        return dict(zip(_ARRAYS, (np.array(self.names), self.values, self.units), strict=True))

    def _of(self, name: str) -> NDArray[Any]:
        found: NDArray[Any] = self.values[self.names.index(name)]
        return found


class ClassTally(Tally):
    """Classes: `values` are bool [slices, N], whether each answer is right.

    `units` are integers [slices, N], the group of each image, −1 of those outside of the slice.
    """

    per_pixel = False

    def score(self, name: str, confidence: float) -> SliceScore:
        """Give the accuracy with Wilson's interval.

        Of several seeds the interval holds for the mean of these networks on other images; it is a
        little too wide, since the mean of several varies less than a single answer.
        """
        inside, groups = self._inside(name)
        right = self._of(name)[inside].astype(np.float64)
        worth = independent_fraction(right, groups, confidence)
        interval = wilson_interval(float(right.sum()) * worth, len(right) * worth, confidence)
        return SliceScore(score=float(right.mean()), interval=interval)

    def change(self, network: Self, name: str, confidence: float) -> Change:
        """Compare by Tango's interval, and by an exact test of the excess.

        Damaged images are held against the same plain ones, a part of the split against the rest.
        """
        inside, groups = self._inside(name)
        mine, its = self._of(name), network._of(name)
        changes = mine.astype(np.int64) - its
        plain = self._of(PLAIN).astype(np.int64) - network._of(PLAIN)
        members = members_of(self.units[0], len(changes))
        if inside.all():
            sums = np.bincount(members, weights=changes - plain).astype(np.int64)
            p_value = sign_flip_p_value(sums)
        else:
            signs = np.sign(np.bincount(members, weights=plain)).astype(np.int64)
            share = np.bincount(members, weights=inside) / np.bincount(members)
            p_value = part_p_value(signs, share >= 0.5)
        return Change(
            float(changes[inside].mean()),
            gain_interval(mine[inside], its[inside], groups, confidence),
            float(changes[inside].mean() - plain.mean()),
            p_value,
        )

    def _inside(self, name: str) -> tuple[NDArray[np.bool_], NDArray[np.integer]]:
        """Which images are in a slice [N], and the groups of those."""
        units = self.units[self.names.index(name)]
        return units >= 0, units[units >= 0]


class MaskTally(Tally):
    """Masks: `values` are the mean IoU, float64 [slices, 1 + images]; `units` [slices, 1], pixels.

    Each mean IoU is that of all source images, and of all but each.
    """

    per_pixel = True

    def score(self, name: str, confidence: float) -> SliceScore:
        """Give the mean IoU with the jackknife's interval."""
        left_out = self._of(name)
        interval = jackknife_interval(left_out, int(self.units[0, 0]), confidence)
        return SliceScore(score=float(left_out[0]), interval=interval)

    def change(self, network: Self, name: str, confidence: float) -> Change:
        """Compare by the jackknife's t interval and t test over source images."""
        changes = self._of(name) - network._of(name)
        excess = changes - (self._of(PLAIN) - network._of(PLAIN))
        enough = len(changes) > FEWEST_IMAGES
        interval = seeds_interval(pseudo_values(changes), confidence) if enough else None
        p_value = t_p_value(pseudo_values(excess)) if enough else None
        return Change(float(changes[0]), interval, float(excess[0]), p_value)


def tally_kind(*, per_pixel: bool) -> type[Tally]:
    """Give the kind of a task."""
    return MaskTally if per_pixel else ClassTally


def read_tally(arrays: Mapping[str, NDArray[Any]], *, per_pixel: bool) -> Tally | None:
    """Read what `Tally.arrays` gave; None where there is nothing of the kind."""
    if _ARRAYS[0] not in arrays:
        return None
    names, values, units = (arrays[name] for name in _ARRAYS)
    return tally_kind(per_pixel=per_pixel)(tuple(names.tolist()), values, units)


def seed_arrays(tallies: Mapping[int, Tally]) -> dict[str, NDArray[Any]]:
    """Give the tallies of several seeds as arrays, `slice_values` with a first axis of seeds."""
    if not tallies:
        return {}
    values = np.stack([tally.values for tally in tallies.values()])
    first = next(iter(tallies.values()))
    return first.arrays() | {"slice_values": values, "slice_seeds": np.array(list(tallies))}


def read_seed_tallies(arrays: Mapping[str, NDArray[Any]], *, per_pixel: bool) -> dict[int, Tally]:
    """Read what `seed_arrays` gave."""
    together = read_tally(arrays, per_pixel=per_pixel)
    if together is None:
        return {}
    seeds = arrays["slice_seeds"].tolist()
    return {
        seed: replace(together, values=values)
        for seed, values in zip(seeds, together.values, strict=True)
    }


def compared_slices(
    models: Mapping[str, Mapping[int, Tally]], confidence: float
) -> dict[str, ComparedSlice]:
    """Score `teacher`, `student` and `distill` on every slice, students by the mean over seeds."""
    scores: dict[str, dict[str, SliceScore]] = {}
    for kind, tallies in models.items():
        if tallies:
            first, *others = tallies.values()
            scores[kind] = first.mean(others).scores(confidence)
    names = scores.get("distill", {})
    return {
        name: ComparedSlice(**{kind: scores.get(kind, {}).get(name) for kind in models})
        for name in names
    }


def sign_flip_p_value(sums: NDArray[np.int64]) -> float:
    """Give the exact two-sided p-value that whole numbers are symmetric about 0.

    Where compression does to an image in a slice what it does to the plain one, the two may be
    exchanged, and with them the sign of the image's excess: the sum of all is held against its
    distribution over all signs. Of numbers −1, 0 and 1 this is McNemar's exact test.

    Args:
        sums: [groups].

    Source: Fisher 1935, The Design of Experiments, section 21.
    """
    from scipy.special import gammaln  # takes half as long to import as scipy.stats

    chances = np.ones(1)  # of the sum of those sizes whose sign is +
    for size, count in zip(*np.unique(np.abs(sums[sums != 0]), return_counts=True), strict=True):
        k = np.arange(count + 1)
        logs = gammaln(count + 1) - gammaln(k + 1) - gammaln(count - k + 1) - count * np.log(2)
        spaced = np.zeros(size * count + 1)
        spaced[::size] = np.exp(logs)
        chances = np.convolve(chances, spaced)
    rarer = int(min(sums[sums > 0].sum(), -sums[sums < 0].sum()))
    return min(1.0, 2 * float(chances[: rarer + 1].sum()))


def part_p_value(signs: NDArray[np.int64], inside: NDArray[np.bool_]) -> float:
    """Give the exact two-sided p-value that losses and gains are spread evenly over a part.

    The difference of gains and losses within the part is held against its distribution over all
    parts of that size. Without gains, or without losses, this is Fisher's exact test.

    Args:
        signs: [groups], 1 of a gain, −1 of a loss, 0 of no change.
        inside: bool [groups], which are of the part.

    Source: Fisher 1935, The Design of Experiments, section 21.
    """
    losses, gains, size = int((signs < 0).sum()), int((signs > 0).sum()), int(inside.sum())
    found = int(signs[inside].sum())
    lower = upper = 0.0
    for lost in range(max(0, size + losses - len(signs)), min(losses, size) + 1):
        won = np.arange(min(gains, size - lost) + 1)
        chances = _drawn(lost, losses, size, len(signs))
        chances = chances * _drawn(won, gains, size - lost, len(signs) - losses)
        lower += float(chances[won - lost <= found].sum())
        upper += float(chances[won - lost >= found].sum())
    return min(1.0, 2 * min(lower, upper))


def _drawn(k: Any, marked: int, size: int, total: int) -> NDArray[np.float64]:
    """Give the hypergeometric chance of k marked ones among `size` of `total`."""
    from scipy.special import gammaln  # takes half as long to import as scipy.stats

    def log_choose(n: Any, r: Any) -> Any:
        with np.errstate(invalid="ignore"):
            found = gammaln(n + 1) - gammaln(r + 1) - gammaln(n - r + 1)
        return np.where((r >= 0) & (r <= n), found, -np.inf)

    k = np.asarray(k)
    chances: NDArray[np.float64] = np.exp(
        log_choose(marked, k) + log_choose(total - marked, size - k) - log_choose(total, size)
    )
    return chances


def t_p_value(values: Sequence[float]) -> float:
    """Give the two-sided p-value of Student's t test that the mean is 0; 1 of all alike.

    Source: Student 1908, Biometrika 6, 1-25.
    """
    from scipy.special import stdtr  # a thousand times as fast as scipy.stats

    if not has_spread(values):
        return 1.0
    statistic = np.mean(values) / (np.std(values, ddof=1) / len(values) ** 0.5)
    return float(2 * stdtr(len(values) - 1, -abs(statistic)))
