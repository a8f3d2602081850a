"""Numbers that change from epoch to epoch: how far training is, or how near the student has come.

Each is a function of the epoch's number and the history alone, so a run that goes on from a
checkpoint has the same numbers as one that never stopped.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from kdtasks.core.settings import Fraction, Positive, Section

# One record an epoch, as `kdtasks.learn.training.monitor` writes them.
History = Sequence[Mapping[str, float]]

_SCHEDULE = (
    "course from `start` in the first epoch to `end` in the last, or, with `gap`, to `end` where "
    "the student is as accurate on the training pictures as the teacher"
)


class FractionSchedule(Section):
    """A share that changes from epoch to epoch."""

    schedule: Literal["linear", "cosine", "gap"] = Field(description=_SCHEDULE)
    start: Fraction = Field(description="value of the first epoch")
    end: Fraction = Field(description="value at the end")


class PositiveSchedule(Section):
    """A positive number that changes from epoch to epoch."""

    schedule: Literal["linear", "cosine", "gap"] = Field(description=_SCHEDULE)
    start: Positive = Field(description="value of the first epoch")
    end: Positive = Field(description="value at the end")


def _kind(value: Any) -> str:
    return "schedule" if isinstance(value, dict | Section) else "constant"


ScheduledFraction = Annotated[
    Annotated[Fraction, Tag("constant")] | Annotated[FractionSchedule, Tag("schedule")],
    Discriminator(_kind),
]

ScheduledPositive = Annotated[
    Annotated[Positive, Tag("constant")] | Annotated[PositiveSchedule, Tag("schedule")],
    Discriminator(_kind),
]

Scheduled = float | FractionSchedule | PositiveSchedule


def value_at(setting: Scheduled, *, epoch: int, epochs: int, history: History) -> float:
    """Return a setting's value in an epoch: start + (end − start) · s.

    With p = (epoch − 1) / (epochs − 1), from 0 in the first epoch to 1 in the last: `linear` has
    s = p and `cosine` s = (1 − cos πp) / 2; `gap` has s = 1 − g with the gap of `open_gap`.

    `linear` from 0 to 1 for alpha is teacher annealing (Clark et al. 2019, arXiv 1907.04829).
    """
    if isinstance(setting, float | int):
        return float(setting)
    progress = (epoch - 1) / max(epochs - 1, 1)
    shares: dict[str, Callable[[], float]] = {
        "linear": lambda: progress,
        "cosine": lambda: (1.0 - math.cos(math.pi * progress)) / 2.0,
        "gap": lambda: 1.0 - open_gap(history),
    }
    return setting.start + (setting.end - setting.start) * shares[setting.schedule]()


def open_gap(history: History) -> float:
    """Return the share of the gap between teacher and student that is still open, 0 to 1.

    g = (t − max a) / (t − a₁), cut to 0 … 1: t is the share of the training labels that the teacher
    gets right, a₁ the student's training accuracy in the first epoch, max a its best so far. So g
    is 1 in the first two epochs, never grows, and is 0 from where the student has reached the
    teacher; a teacher no better than a₁ leaves no gap.
    """
    if not history:
        return 1.0
    teacher = history[-1]["teacher_agreement"]
    first, best = history[0]["accuracy"], max(record["accuracy"] for record in history)
    if teacher <= first:
        return 0.0
    return min(1.0, max(0.0, (teacher - best) / (teacher - first)))
