"""The minutes of a search, and how many of them a trial is expected to take."""

import statistics
import time
from collections.abc import Callable, Iterable


class Budget:
    """Counts from the first trial on."""

    def __init__(self, minutes: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._now = 60 * minutes, now
        self._begun: float | None = None

    def begin(self) -> None:
        """Let the clock run; it runs on where it does already."""
        if self._begun is None:
            self._begun = self._now()

    @property
    def left(self) -> float:
        """Seconds left, 0 or more."""
        spent = 0.0 if self._begun is None else self._now() - self._begun
        return max(0.0, self._seconds - spent)


def expected_seconds(epochs: int, taken: Iterable[tuple[int, float]]) -> float | None:
    """Estimate how long a trial takes from those that ran.

    A trial takes what a conversion takes, and for every epoch of its training what an epoch took in
    the others: the median of either.

    Args:
        epochs: of training that it has.
        taken: epochs and seconds of the trials that ran.

    Returns: seconds; None where nothing like it has run yet.
    """
    trials = list(taken)
    conversions = [seconds for count, seconds in trials if count == 0]
    conversion = statistics.median(conversions) if conversions else 0.0
    if epochs == 0:
        return conversion if conversions else None
    rates = [max(0.0, seconds - conversion) / count for count, seconds in trials if count]
    return conversion + epochs * statistics.median(rates) if rates else None
