"""The record of a search for a student."""

from kdtasks.core.records import Part
from kdtasks.core.records.slices import Interval
from kdtasks.orchestrate.search.record import SearchSummary
from kdtasks.orchestrate.students.footprint import Footprint
from kdtasks.orchestrate.sweep.record import SweptPoint


class TriedStudent(SweptPoint):
    """A student that was trained with the seed that searched, to its end or not.

    Attributes:
        third: by cost, among which it had to hold its own.
        ended: how.
        epochs: after which there is a score.
        score: the last on the validation split; None where there is none.
    """

    third: str
    ended: str
    epochs: int
    score: float | None
    footprint: Footprint


class FrontPoint(Part):
    """A student that none was better than for less, trained with fresh seeds.

    Attributes:
        cost: that accuracy is weighed against.
        by_seed: validation score by fresh seed.
        mean, interval: over them; None before there are any, or enough.
        stays: whether it is still on the front by `mean`.
    """

    label: str
    cost: float
    by_seed: dict[str, float]
    mean: float | None
    interval: Interval | None
    stays: bool


class StudentSearchSummary(SearchSummary):
    """`search.json` of a search for a student.

    Attributes:
        seed: of all trials; `fresh_seeds` of the front.
        left_out: why students were not tried, by label.
        front: cheapest first.
    """

    seed: int
    fresh_seeds: tuple[int, ...]
    trials: tuple[TriedStudent, ...]
    left_out: dict[str, str]
    front: tuple[FrontPoint, ...]
