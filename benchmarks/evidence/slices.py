"""A slice of other images on which compression takes as much as on the plain test split."""

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.evaluate.excess import part_p_value

_LEVEL = 0.05  # of two sides, of which one is called worse
# Images and the fraction of them that compression changes in either direction: plain, in the slice.
_CASES = (
    (1000, 0.02, 100, 0.02),
    (100, 0.02, 1000, 0.02),
    (300, 0.02, 300, 0.1),
    (1000, 0.02, 100, 0.1),
    (1000, 0.01, 60, 0.05),
)


def _plain_p_value(signs: npt.NDArray[np.int64], inside: npt.NDArray[np.bool_]) -> float:
    """The permutation test of the difference itself, in normal approximation."""
    size, total = int(inside.sum()), len(signs)
    variance = size * (total - size) / (total - 1) * signs.var()
    excess = signs[inside].sum() - size * signs.mean()
    return float(2 * ndtr(-abs(excess) / variance**0.5)) if variance > 0 else 1.0


def _simulate(trials: int) -> list[Rate]:
    rates = []
    for plain, rate, sliced, slice_rate in _CASES:
        draw = np.random.default_rng(sliced)
        inside = np.arange(plain + sliced) >= plain
        chances = np.repeat([rate, slice_rate], [plain, sliced])
        called = np.zeros(2, int)
        for _ in range(trials):
            drawn = draw.random(plain + sliced)
            signs = (drawn < chances).astype(np.int64) - (drawn > 1 - chances)
            is_lower = signs[inside].mean() < signs[~inside].mean()
            found = part_p_value(signs, inside), _plain_p_value(signs, inside)
            called += is_lower & (np.array(found) <= _LEVEL)
        case = f"{plain} images, {rate:.0%} change each way, and {sliced}, {slice_rate:.0%}"
        most = _LEVEL / 2 if rate == slice_rate else 0.07
        rates += [
            Rate(f"{case}: called worse", int(called[0]), trials, at_most=most),
            Rate(f"{case}: by the plain difference", int(called[1]), trials),
        ]
    return rates


SLICES = Promise(
    name="slices",
    sentence="A slice where compression takes as much as on the plain test split is called worse, "
    "at 95 % and before Holm's correction, in at most 2.5 % where as many images change in either "
    "direction, and in at most 7 % where five times as many do.",
    simulate=_simulate,
    few=40,
    many=2000,
)
