"""The time a model takes for an image: the five statistics that a limit is held against."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

Statistic = Literal["mean", "p50", "p90", "p99", "worst"]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)

_NAMES: dict[Statistic, str] = {
    "mean": "mean",
    "p50": "median",
    "p90": "90th-percentile",
    "p99": "99th-percentile",
    "worst": "whole-network",
}


@dataclass(frozen=True)
class Latency:
    """Milliseconds an image, as of `kdtasks.edge.latency.summarise_latency`.

    Attributes:
        mean: over images as they come, each leaving at its own exit.
        p50, p90, p99: percentiles of the same. Early exits give the times a peak each, so these
            jump from one exit's time to the next one's where hardly any image changes its exit.
        worst: mean of the same images where each runs to the last exit.
    """

    # A part of records (kdtasks.core.records), without pydantic, which devices lack.
    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

    mean: float
    p50: float
    p90: float
    p99: float
    worst: float

    def of(self, statistic: Statistic) -> float:
        """Give one of the five."""
        value: float = getattr(self, statistic)
        return value


def statistic_name(statistic: Statistic) -> str:
    """Name a statistic as it stands before "latency" in a sentence: `p50` is `median`."""
    return _NAMES[statistic]
