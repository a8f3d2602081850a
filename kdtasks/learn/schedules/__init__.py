"""Numbers that change from epoch to epoch, one course a file."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from kdtasks.core.registry import Registry
from kdtasks.core.settings import Fraction, Positive, Section

# One record an epoch, as `kdtasks.learn.training.monitor` writes them.
History = Sequence[Mapping[str, float]]


class Schedule(Section):
    """A course from one value to another: start + (end − start) · progress.

    It is a function of the epoch's number and the history alone, so a run that is resumed has the
    same numbers as one that never stopped.
    """

    name: str
    start: float = Field(description="value of the first epoch")
    end: float = Field(description="value at the end")

    @abstractmethod
    def progress(self, epoch: int, epochs: int, history: History) -> float:
        """How far the course has come, from 0 to 1.

        Args:
            epoch: number of the epoch that begins, from 1, of `epochs`.
            history: the records of the epochs before.
        """

    def value(self, epoch: int, epochs: int, history: History) -> float:
        """The value in an epoch; arguments as of `progress`."""
        return self.start + (self.end - self.start) * self.progress(epoch, epochs, history)


schedules = Registry("schedule", __name__, Schedule)


def _within(is_allowed: Callable[[float], bool], allowed: str) -> AfterValidator:
    def check(schedule: Schedule) -> Schedule:
        for key in ("start", "end"):
            value = getattr(schedule, key)
            if not is_allowed(value):
                raise ValueError(f"{key} is {value:g}; allowed: {allowed}")
        return schedule

    return AfterValidator(check)


def _kind(value: Any) -> str:
    return "schedule" if isinstance(value, dict | Schedule) else "constant"


ScheduledFraction = Annotated[
    Annotated[Fraction, Tag("constant")]
    | Annotated[
        Schedule, schedules, _within(lambda value: 0.0 <= value <= 1.0, "0 to 1"), Tag("schedule")
    ],
    Discriminator(_kind),
]

ScheduledPositive = Annotated[
    Annotated[Positive, Tag("constant")]
    | Annotated[
        Schedule, schedules, _within(lambda value: value > 0.0, "more than 0"), Tag("schedule")
    ],
    Discriminator(_kind),
]


def value_at(setting: float | Schedule, *, epoch: int, epochs: int, history: History) -> float:
    """Return a setting's value in an epoch, be it a constant or a schedule."""
    return (
        setting.value(epoch, epochs, history) if isinstance(setting, Schedule) else float(setting)
    )


def final_value(setting: float | Schedule) -> float:
    """Return a setting's value at the end."""
    return setting.end if isinstance(setting, Schedule) else float(setting)


def highest_value(setting: float | Schedule) -> float:
    """Return the highest value that a setting has in any epoch, or comes close to."""
    return max(setting.start, setting.end) if isinstance(setting, Schedule) else float(setting)
