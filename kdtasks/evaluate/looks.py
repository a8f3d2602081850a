"""How many seeds are looked at, and how much of the error each look may spend.

Whoever adds seeds until a test is significant finds differences that are not there. So the numbers
of seeds at which a verdict falls are fixed, and the error that a confidence leaves is divided among
them: over all looks together a verdict is false no more often than it says, whether the user stops
at the first or goes on to the last.

Source: Dunn 1961, J. Am. Stat. Assoc. 56, 52-64 (the division); Jennison and Turnbull 1999, Group
Sequential Methods (looks fixed beforehand).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kdtasks.evaluate.intervals import NO_SPREAD, has_spread


class Look(NamedTuple):
    """A number of seeds at which a verdict falls.

    Attributes:
        seeds: how many, the first ones of those there are.
        spending: fraction of the error, of all looks together, that this one may spend.
    """

    seeds: int
    spending: float

    def confidence(self, confidence: float) -> float:
        """Level of this look's interval where `confidence` is that of all looks together."""
        return 1 - self.spending * (1 - confidence)


LOOKS = (Look(3, 0.2), Look(5, 0.4), Look(10, 0.2), Look(20, 0.2))


def look_at(seeds: int) -> Look | None:
    """Give the last look that so many seeds allow; None before the first."""
    return max((look for look in LOOKS if look.seeds <= seeds), default=None)


def more_seeds_needed(differences: Sequence[float], confidence: float) -> int | None:
    """Estimate at which later look 0 would lie outside the t interval of the mean difference.

    The observed mean and standard deviation are taken to stay as they are. It is a rough guide: at
    just that look the interval often still holds 0.

    Args:
        differences: one a seed.
        confidence: of all looks together.

    Returns: seeds from here to that look; None where it means nothing (one seed, no spread, no
        difference) or not even the last look would do.
    """
    from scipy.special import stdtrit  # heavy, and only needed here

    seeds, mean = len(differences), abs(float(np.mean(differences)))
    if not has_spread(differences) or mean <= NO_SPREAD:
        return None
    spread = float(np.std(differences, ddof=1))
    for look in LOOKS:
        tail = 0.5 + look.confidence(confidence) / 2
        if look.seeds > seeds and stdtrit(look.seeds - 1, tail) * spread < mean * look.seeds**0.5:
            return look.seeds - seeds
    return None
