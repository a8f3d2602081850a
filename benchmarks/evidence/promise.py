"""A statistical promise, and what a simulation of it counts."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from scipy.stats import binom


class Rate(NamedTuple):
    """How often something happened in a simulation.

    Attributes:
        case: what was simulated.
        events: trials in which it happened.
        trials: of all.
        at_most: limit of the true rate that the product promises; None for none.
        at_least: the same from below.
    """

    case: str
    events: int
    trials: int
    at_most: float | None = None
    at_least: float | None = None

    def kept(self) -> bool:
        """Whether the count goes with the promise; a true one fails once in a million times."""
        if self.at_most is not None and self.events > binom.ppf(
            1 - 1e-6, self.trials, self.at_most
        ):
            return False
        return self.at_least is None or self.events >= binom.ppf(1e-6, self.trials, self.at_least)


class Promise(NamedTuple):
    """What the product says, and how it is tried.

    Attributes:
        name: of the simulation.
        sentence: what is promised.
        simulate: takes the number of trials.
        few: trials in the tests.
        many: trials in full.
    """

    name: str
    sentence: str
    simulate: Callable[[int], Sequence[Rate]]
    few: int
    many: int
