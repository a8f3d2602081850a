"""One model's answers to the plain test split, to slices of it, and to further folders."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.records.slices import ComparedSlice, SliceScore
from kdtasks.evaluate.clusters import independent_fraction, members_of
from kdtasks.evaluate.excess import part_p_value, sign_flip_p_value, t_p_value
from kdtasks.evaluate.intervals import Interval, gain_interval, seeds_interval, wilson_interval
from kdtasks.evaluate.jackknife import FEWEST_IMAGES, jackknife_interval, pseudo_values

PLAIN = "plain"
_ARRAYS = "slice_names", "slice_values", "slice_units", "slice_apart"

# A row of `SliceResults.values`, and one of its `units`.
Row = tuple[NDArray[Any], NDArray[np.integer]]


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
class SliceResults(ABC):
    """The answers of one model, as what its task makes intervals of.

    Attributes:
        names: of the slices, `PLAIN` first.
        values: [slices, …], in the order of the names; `fill_value` ends those of fewer images.
        units: what more an interval depends on; −1 ends those of fewer images.
        separate: bool [slices], which are of other images than the test split's.
    """

    per_pixel: ClassVar[bool]
    fill_value: ClassVar[float]
    names: tuple[str, ...]
    values: NDArray[Any]
    units: NDArray[np.integer]
    separate: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Mapping[str, Row], separate: Collection[str] = ()) -> Self:
        """Put rows of several slices together, by name, `PLAIN` first.

        Args:
            separate: names of those of other images.
        """
        values, units = zip(*rows.values(), strict=True)
        return cls(
            tuple(rows),
            _stacked(values, cls.fill_value),
            _stacked(units, -1),
            np.array([name in separate for name in rows]),
        )

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
        return replace(self, values=np.mean([score.values for score in (self, *others)], axis=0))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give it as arrays to be written beside others."""
        found = np.array(self.names), self.values, self.units, self.separate
        return dict(zip(_ARRAYS, found, strict=True))

    def _of(self, name: str) -> NDArray[Any]:
        found: NDArray[Any] = self.values[self.names.index(name)]
        return found

    def _is_separate(self, name: str) -> bool:
        return bool(self.separate[self.names.index(name)])


def _stacked(rows: Sequence[NDArray[Any]], fill_value: float) -> NDArray[Any]:
    longest = max(map(len, rows))
    return np.stack(
        [np.pad(row, (0, longest - len(row)), constant_values=fill_value) for row in rows]
    )


class ClassSliceResults(SliceResults):
    """Classes: `values` are bool [slices, N], whether each answer is right.

    `units` are integers [slices, N], the group of each image, −1 of those outside of the slice.
    """

    per_pixel = False
    fill_value = 0

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

        Damaged images are held against the same plain ones, a part of the split against the rest,
        and other images against the whole split.
        """
        inside, groups = self._inside(name)
        tested, members = self._inside(PLAIN)
        members = members_of(members, len(members))
        mine, its = self._of(name)[inside], network._of(name)[inside]
        changes = mine.astype(np.int64) - its
        plain = (self._of(PLAIN).astype(np.int64) - network._of(PLAIN))[tested]
        if self._is_separate(name):
            signs = [_signs(plain, members), _signs(changes, members_of(groups, len(groups)))]
            is_other = np.repeat([False, True], list(map(len, signs)))
            p_value = part_p_value(np.concatenate(signs), is_other)
        elif len(changes) == len(plain):
            sums = np.bincount(members, weights=changes - plain).astype(np.int64)
            p_value = sign_flip_p_value(sums)
        else:
            share = np.bincount(members, weights=inside[tested]) / np.bincount(members)
            p_value = part_p_value(_signs(plain, members), share >= 0.5)
        return Change(
            float(changes.mean()),
            gain_interval(mine, its, groups, confidence),
            float(changes.mean() - plain.mean()),
            p_value,
        )

    def _inside(self, name: str) -> tuple[NDArray[np.bool_], NDArray[np.integer]]:
        """Which images are in a slice [N], and the groups of those."""
        units = self.units[self.names.index(name)]
        return units >= 0, units[units >= 0]


def _signs(changes: NDArray[np.int64], members: NDArray[np.int64]) -> NDArray[np.int64]:
    """Say of each group whether it gains, loses or neither: 1, −1, 0."""
    return np.sign(np.bincount(members, weights=changes)).astype(np.int64)


class MaskSliceResults(SliceResults):
    """Masks: `values` are the mean IoU, float64 [slices, 1 + images]; `units` [slices, 1], pixels.

    Each mean IoU is that of all source images, and of all but each.
    """

    per_pixel = True
    fill_value = np.nan

    def score(self, name: str, confidence: float) -> SliceScore:
        """Give the mean IoU with the jackknife's interval."""
        left_out = self._of(name)
        pixels = int(self.units[self.names.index(name), 0])
        interval = jackknife_interval(left_out, pixels, confidence)
        return SliceScore(score=float(left_out[0]), interval=interval)

    def change(self, network: Self, name: str, confidence: float) -> Change:
        """Compare by the jackknife's t interval and t test over source images.

        Other images are held against the whole split by Welch's t test.
        """
        changes = self._of(name) - network._of(name)
        plain = self._of(PLAIN) - network._of(PLAIN)
        enough = len(changes) > FEWEST_IMAGES
        interval = seeds_interval(pseudo_values(changes), confidence) if enough else None
        p_value = None
        if self._is_separate(name):
            if enough and len(plain) > FEWEST_IMAGES:
                p_value = t_p_value(pseudo_values(changes), pseudo_values(plain))
        elif enough:
            p_value = t_p_value(pseudo_values(changes - plain))
        return Change(float(changes[0]), interval, float(changes[0] - plain[0]), p_value)

    def _of(self, name: str) -> NDArray[Any]:
        found = super()._of(name)
        return found[~np.isnan(found)]


def slice_results_class(*, per_pixel: bool) -> type[SliceResults]:
    """Give the kind of a task."""
    return MaskSliceResults if per_pixel else ClassSliceResults


def read_slice_results(
    arrays: Mapping[str, NDArray[Any]], *, per_pixel: bool
) -> SliceResults | None:
    """Read what `SliceResults.arrays` gave; None where there is nothing of the kind."""
    if _ARRAYS[0] not in arrays:
        return None
    names, values, units, separate = (arrays[name] for name in _ARRAYS)
    return slice_results_class(per_pixel=per_pixel)(tuple(names.tolist()), values, units, separate)


def seed_arrays(results: Mapping[int, SliceResults]) -> dict[str, NDArray[Any]]:
    """Give the results of several seeds as arrays, `slice_values` with a first axis of seeds."""
    if not results:
        return {}
    values = np.stack([model.values for model in results.values()])
    first = next(iter(results.values()))
    return first.arrays() | {"slice_values": values, "slice_seeds": np.array(list(results))}


def read_seed_slice_results(
    arrays: Mapping[str, NDArray[Any]], *, per_pixel: bool
) -> dict[int, SliceResults]:
    """Read what `seed_arrays` gave."""
    together = read_slice_results(arrays, per_pixel=per_pixel)
    if together is None:
        return {}
    seeds = arrays["slice_seeds"].tolist()
    return {
        seed: replace(together, values=values)
        for seed, values in zip(seeds, together.values, strict=True)
    }


def compared_slices(
    models: Mapping[str, Mapping[int, SliceResults]], confidence: float
) -> dict[str, ComparedSlice]:
    """Score `teacher`, `student` and `distill` on every slice, students by the mean over seeds."""
    scores: dict[str, dict[str, SliceScore]] = {}
    for kind, results in models.items():
        if results:
            first, *others = results.values()
            scores[kind] = first.mean(others).scores(confidence)
    names = scores.get("distill", {})
    return {
        name: ComparedSlice(**{kind: scores.get(kind, {}).get(name) for kind in models})
        for name in names
    }
