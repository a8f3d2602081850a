"""What a teacher is worth in labels: two learning curves, and what one reads off the other."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from kdtasks.core.records import Part
from kdtasks.core.text import count
from kdtasks.evaluate.intervals import NO_SPREAD
from kdtasks.evaluate.looks import look_at
from kdtasks.orchestrate.sweep.grid import Grid, Point, describe
from kdtasks.orchestrate.sweep.results import PointResult

KEY = "data.train_labels"
FEWEST_POINTS = 3  # of a curve that something is read off
NUMBERS = 4000  # of labels at which curves are compared, besides the swept ones


class LabelWorth(Part):
    """How many labels the student alone needs to do as well as a distilled one.

    Attributes:
        labels: that both students of the point see.
        alone: the fewest with which the student alone does as well on average; None beyond an end
            of its curve.
        beyond: which end: it takes `fewer` than the fewest swept, or `more` than the most.
        interval: of `alone`; an end is None where it may lie beyond that end of the curve.
    """

    labels: int
    alone: int | None
    beyond: Literal["fewer", "more"] | None
    interval: tuple[int | None, int | None]


class LabelCurve(Part):
    """Points that differ in nothing but the labels that students see.

    Attributes:
        title: the settings on which they agree; empty where nothing else is swept.
        points: their names, by ascending number of labels; two at least.
        worth: of each; empty of fewer than three points or seeds.
    """

    title: str
    points: tuple[str, ...]
    worth: tuple[LabelWorth, ...]


def label_curves(
    grid: Grid, points: Sequence[Point], results: Mapping[str, PointResult], confidence: float
) -> list[LabelCurve]:
    """Find the curves in a sweep over `data.train_labels`; none in another.

    Args:
        results: of the points that ended well, by label of the point; others are left out.
        confidence: of each `LabelWorth.interval` by itself, over all looks together.
    """
    if KEY not in (axis.key for axis in grid.axes):
        return []

    # null and the number of all labels are one point of a curve
    groups: dict[str, dict[int, str]] = {}
    for point in points:
        if point.label in results:
            others = {key: value for key, value in point.settings.items() if key != KEY}
            number = results[point.label].labels
            groups.setdefault(describe(grid, others), {})[number] = point.label
    curves = []
    for title, by_number in groups.items():
        names = tuple(by_number[number] for number in sorted(by_number))
        if len(names) > 1:
            worth = _worth([results[name] for name in names], confidence)
            curves.append(LabelCurve(title=title, points=names, worth=worth))
    return curves


def _worth(results: Sequence[PointResult], confidence: float) -> tuple[LabelWorth, ...]:
    seeds = sorted(results[0].student)
    look = look_at(len(seeds))
    if look is None or len(results) < FEWEST_POINTS:
        return ()
    judged = seeds[: look.seeds]
    return label_worth(
        [result.labels for result in results],
        [[result.student[seed] for seed in judged] for result in results],
        [[result.distilled[seed] for seed in judged] for result in results],
        look.confidence(confidence),
    )


def label_worth(
    labels: Sequence[int], student: ArrayLike, distilled: ArrayLike, confidence: float
) -> tuple[LabelWorth, ...]:
    """Say of every point with how many labels the student alone does as well as its distilled one.

    Every seed's curve of the student alone is that of `between`. The interval holds the numbers at
    which a paired t test over seeds does not tell the distilled student from the one alone, and all
    numbers between them: it is wide where seeds are few, and where the curve is flat or goes up and
    down.

    Source: Fieller 1954, J. R. Stat. Soc. B 16, 175-185 (an interval for where a difference is 0,
    by inverting the t test of it).

    Args:
        labels: ascending.
        student, distilled: score by point and seed, of the same two seeds or more.
        confidence: of the interval of each point by itself.
    """
    from scipy.special import stdtrit  # a hundred times as fast as scipy.stats

    fine = np.geomspace(labels[0], labels[-1], NUMBERS).round()
    numbers = np.unique(np.concatenate([labels, fine])).astype(int)
    alone = between(labels, student, numbers)
    seeds = alone.shape[1]
    quantile = float(stdtrit(seeds - 1, 0.5 + confidence / 2))
    worths = []
    for number, scores in zip(labels, np.asarray(distilled, dtype=float), strict=True):
        differences = scores - alone
        mean, spread = differences.mean(axis=1), differences.std(axis=1, ddof=1)
        is_significant = (np.abs(mean) > quantile * spread / seeds**0.5) & (spread > NO_SPREAD)
        worths.append(_read_off(number, numbers, mean, is_significant))
    return tuple(worths)


def between(labels: Sequence[int], scores: ArrayLike, numbers: ArrayLike) -> np.ndarray:
    """Give the values of learning curves between their points.

    A cubic over the logarithm of the number of labels, which rises or falls between two points as
    they do. Straight lines lie below a curve that levels off: read off them, a teacher is worth
    more labels than it is.

    Source: Fritsch and Butland 1984, SIAM J. Sci. Stat. Comput. 5, 300-304.

    Args:
        labels: [points], ascending.
        scores: [points, …].
        numbers: [M], of labels, from the first of `labels` to the last.

    Returns: [M, …].
    """
    from scipy.interpolate import PchipInterpolator  # heavy, and only needed here

    found: np.ndarray = PchipInterpolator(np.log(labels), np.asarray(scores))(np.log(numbers))
    return found


def _read_off(
    labels: int, numbers: np.ndarray, mean: np.ndarray, is_significant: np.ndarray
) -> LabelWorth:
    """Read one point's worth off its mean lead over the student alone, at each of `numbers`."""
    too_few, too_many = is_significant & (mean > 0), is_significant & (mean < 0)
    suffice = numbers[mean <= NO_SPREAD]
    beyond: Literal["fewer", "more"] | None = None
    if not len(suffice):
        beyond = "more"
    elif mean[0] < -NO_SPREAD:
        beyond = "fewer"
    alone = None if beyond else int(suffice[0])
    low = high = None
    if too_few[0]:
        low = int(min(numbers[~too_few], default=numbers[-1]))
    if too_many[-1]:
        high = int(max([alone or numbers[0], *numbers[~too_many]]))
    return LabelWorth(labels=labels, alone=alone, beyond=beyond, interval=(low, high))


def worth_sentence(curve: Sequence[LabelWorth]) -> str | None:
    """Say what the labels of every point do, none picked out; None where nothing can be said."""
    if not curve:
        return None
    needs = [
        alone_text(worth, curve) + (f" ({found})" if (found := worth_range(worth, curve)) else "")
        for worth in curve
    ]
    first, *others = zip((count(worth.labels) for worth in curve), needs, strict=True)
    parts = [f"{first[0]} labels do what {first[1]} do without"]
    parts += [f"{labels} do what {need} do" for labels, need in others]
    return f"With the teacher, {'; '.join(parts)}."


def alone_text(worth: LabelWorth, curve: Sequence[LabelWorth]) -> str:
    """Write the labels that the student alone needs: about 900, more than 2,700."""
    if worth.beyond:
        return f"{worth.beyond} than {count(_end(worth, curve).labels)}"
    assert worth.alone is not None  # within the curve
    return f"about {count(_two_digits(worth.alone, 0.5))}"


def worth_range(worth: LabelWorth, curve: Sequence[LabelWorth]) -> str:
    """Write the interval, rounded outwards: 520 to 1,600; 520 or more; up to 1,600; any number.

    Nothing where it says no more than that the number lies beyond an end of the curve.
    """
    low, high = worth.interval
    if worth.beyond and _end(worth, curve).labels in (low, high):
        return ""
    least = None if low is None else count(_two_digits(low, 0))
    most = None if high is None else count(_two_digits(high, 1))
    if least and most:
        return f"{least} to {most}"
    return f"{least} or more" if least else f"up to {most}" if most else "any number"


def _end(worth: LabelWorth, curve: Sequence[LabelWorth]) -> LabelWorth:
    return curve[0] if worth.beyond == "fewer" else curve[-1]


def _two_digits(number: int, up: float) -> int:
    """Round to two digits: down, to the nearest, or up, as `up` is 0, 0.5 or 1."""
    unit = 10 ** max(0, len(str(number)) - 2)
    return int(unit * ((number + up * unit - (up == 1)) // unit))
