"""p-values for the claim that early exits lose no more than promised."""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

Risk = Literal["consistency", "accuracy_gap"]


def p_value(risk: Risk, losses: npt.ArrayLike, *, epsilon: float, delta: float) -> float:
    """Give the p-value of "the mean loss is above `epsilon`": a small one says that it is not.

    Args:
        risk: `consistency`, losses 0 or 1; `accuracy_gap`, losses −1, 0 or 1.
        losses: [n], of independent pictures, in an order that does not depend on them.
        epsilon: mean loss that is promised, 0 < ε < 1.
        delta: the level that the p-value will be held against; shapes the bets of `accuracy_gap`.
    """
    found = np.asarray(losses)
    if risk == "consistency":
        return binomial_p_value(int(found.sum()), len(found), epsilon=epsilon)
    return betting_p_value(found, epsilon=epsilon, delta=delta)


def binomial_p_value(lost: int, rows: int, *, epsilon: float) -> float:
    """Give P[Bin(rows, ε) ≤ lost], the exact p-value for losses of 0 and 1."""
    # SciPy costs 0.3 s, which importing this file must not.
    from scipy.special import bdtr

    return float(bdtr(lost, rows, epsilon))


def betting_p_value(losses: npt.ArrayLike, *, epsilon: float, delta: float) -> float:
    """Give the p-value of a bettor who grows rich if the mean loss is at most ε.

    The bound of Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
    betting", arXiv 2010.09686. Losses are mapped to x in 0…1 and ε to μ₀. If the mean of x were
    above μ₀, the wealth Π (1 + νᵢ(μ₀ − xᵢ)) would have no growth to expect, and would ever reach
    1/p with a probability of at most p (Ville). The stakes νᵢ come from the losses before i.

    Args:
        losses: [n], within −1…1.
        epsilon, delta: as for `p_value`.
    """
    x = (np.asarray(losses, np.float64) + 1.0) / 2.0
    promised = (1.0 + epsilon) / 2.0
    counts = np.arange(1, len(x) + 1)
    # Running mean and variance start as if one row of mean ½ and variance ¼ had been seen.
    means = (0.5 + np.cumsum(x)) / (counts + 1)
    variances = (0.25 + np.cumsum((x - means) ** 2)) / (counts + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    wanted = np.sqrt(2.0 * math.log(1.0 / delta) / (len(x) * before))
    # The cap keeps the wealth above 0 whatever comes.
    stakes = np.minimum(wanted, 0.9 / (1.0 - promised))
    log_wealth = np.cumsum(np.log1p(stakes * (promised - x)))
    return float(np.exp(-max(0.0, log_wealth.max(initial=0.0))))


def rows_needed(risk: Risk, *, epsilon: float, delta: float) -> int:
    """Give the fewest rows on which a policy that loses nothing has a p-value of at most δ.

    For `consistency` that is ln δ / ln(1 − ε), rounded up; for `accuracy_gap` a few more.
    """
    rows = max(1, math.ceil(math.log(delta) / math.log1p(-epsilon) - 1e-9))
    if risk == "consistency":
        return rows
    enough = rows
    while not _certifies_nothing_lost(enough, epsilon, delta):
        rows, enough = enough, 2 * enough
    while rows < enough:
        middle = (rows + enough) // 2
        if _certifies_nothing_lost(middle, epsilon, delta):
            enough = middle
        else:
            rows = middle + 1
    return enough


def _certifies_nothing_lost(rows: int, epsilon: float, delta: float) -> bool:
    return betting_p_value(np.zeros(rows), epsilon=epsilon, delta=delta) <= delta
