"""When to ask again: regularly while all is well, ever more seldom while it is not."""

import random

LONGEST = 900.0  # seconds
_SPREAD = 0.1


class Backoff:
    """Pauses between attempts, each with jitter, so that a fleet does not ask in step."""

    def __init__(self, interval: float, *, longest: float = LONGEST) -> None:
        """Set the usual pause and the longest one after failures, in seconds."""
        self._interval = interval
        self._longest = max(longest, interval)
        self._failures = 0

    def after_success(self) -> float:
        """Give the next pause, about the interval."""
        self._failures = 0
        return self._interval * random.uniform(1 - _SPREAD, 1 + _SPREAD)

    def after_failure(self) -> float:
        """Give the next pause: twice as long with each failure, then cut by up to a half."""
        self._failures = min(self._failures + 1, 32)
        pause = min(self._interval * 2.0**self._failures, self._longest)
        return pause * random.uniform(0.5, 1.0)
