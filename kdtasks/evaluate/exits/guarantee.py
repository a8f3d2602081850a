"""Choose thresholds that keep a promise on images yet to come, with a known confidence."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import CalibrationError
from kdtasks.core.records.calibration import CandidateCounts, Guarantee
from kdtasks.edge.scores import NEVER
from kdtasks.evaluate.exits.rows import ExitRows, exit_rows, fit_temperatures, losses_of
from kdtasks.evaluate.exits.search import pareto_front
from kdtasks.evaluate.exits.settings import ExitsParams, Risk
from kdtasks.evaluate.exits.thresholds import policy_outcomes


class Guaranteed(NamedTuple):
    """Thresholds that keep the promise, and how that is known.

    Attributes:
        temperatures: [K], fitted on the rows that candidates were found on.
        thresholds: [K − 1]; never leave early where nothing could be certified.
        promise: goes into `calibration.json` and the manifest.
    """

    temperatures: list[float]
    thresholds: tuple[float, ...]
    promise: Guarantee


def guarantee(
    logits: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    settings: ExitsParams,
    *,
    macs: Sequence[int],
    seen_rows: int = 0,
    groups: npt.NDArray[np.integer] | None = None,
) -> Guaranteed:
    """Choose the cheapest thresholds whose mean loss is certified to be at most `epsilon`.

    Learn-then-Test (Angelopoulos et al., arXiv 2110.01052) over the candidates of Pareto Testing
    (Laufer-Goldshtein et al., arXiv 2210.07913). One half of the rows finds the candidates that
    none beats on loss and compute. They are tested on the other half, safest first, up to the
    first that cannot be certified: in this fixed order no candidate needs a stricter level than
    `delta`. Over repeated draws of calibration rows the promise is broken in at most `delta` of
    them. The tests need independent rows: of each group that is tested one counts, drawn from the
    seed, so the promise is one on an image of a new group.

    Args:
        logits: [N, K, classes] of the exported file.
        labels: integers [N].
        settings: `risk`: `consistency`, fraction of images whose answer is not the last exit's,
            or `accuracy_gap`, accuracy lost against always going to the last exit; its bound
            `epsilon`, the probability `delta` with which it may be broken, the `seed` of the split
            in halves, `score` and `grid`.
        macs: [K], multiply-accumulates up to and including each exit.
        seen_rows: so many of the first rows have shaped the model already (the ranges of int8);
            nothing is tested on them, or on others of their groups.
        groups: integers [N], the group of each row; None: every row is on its own.

    Raises:
        CalibrationError: too few rows to certify anything; the message has the number needed.
    """
    members = np.arange(len(logits)) if groups is None else np.asarray(groups)
    choosing, testing = split_rows(members, seen_rows=seen_rows, seed=settings.seed)
    _check_rows_suffice(members, len(testing), seen_rows, settings)
    temperatures = fit_temperatures(logits[choosing], labels[choosing])
    truth = labels if settings.risk == "accuracy_gap" else logits[:, -1].argmax(axis=1)
    first, second = (
        exit_rows(
            logits[half], truth[half], temperatures=temperatures, macs=macs, score=settings.score
        )
        for half in (choosing, testing)
    )
    candidates = safest_first(first, settings.grid)
    p_values = certify(second, candidates, settings)
    chosen = candidates[len(p_values) - 1] if p_values else (NEVER,) * (len(macs) - 1)
    counts = CandidateCounts(found=len(candidates), certified=len(p_values))
    promise = Guarantee(
        risk=settings.risk,
        epsilon=settings.epsilon,
        delta=settings.delta,
        certified=bool(p_values),
        p_value=p_values[-1] if p_values else None,
        loss=float(losses_of(second, chosen).mean()),
        rows=len(testing),
        candidates=counts,
        statement=statement(settings, counts, len(testing)),
    )
    return Guaranteed(temperatures, chosen, promise)


def split_rows(
    groups: npt.NDArray[np.integer], *, seen_rows: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split rows in halves by group, one to find candidates on and one to test them on.

    Of the groups of the first `seen_rows`, none is in the second half, which is smaller if it must
    be; of every other group one row at most is, and none of its rows in the first.

    Args:
        groups: integers [N], the group of each row.
        seen_rows: as for `guarantee`.
        seed: of the halves, and of the rows that stand for their groups.
    """
    order = np.random.default_rng([seed, 1]).permutation(len(groups))
    _, drawn = np.unique(groups[order], return_index=True)
    drawn = np.sort(order[drawn])
    unseen = drawn[~np.isin(groups[drawn], groups[:seen_rows])]
    testing = np.random.default_rng(seed).permutation(unseen)[: len(drawn) // 2]
    return np.flatnonzero(~np.isin(groups, groups[testing])), testing


def safest_first(rows: ExitRows, grid: int) -> list[tuple[float, ...]]:
    """Give the thresholds on the front of loss and compute, the least loss first.

    Candidates that leave no image early are not among them: the full network loses nothing and
    needs no test.
    """
    front = pareto_front(policy_outcomes(rows, grid=grid))
    cheaper = front.thresholds[front.macs < rows.macs[-1] * len(rows.scores)]
    return [tuple(thresholds) for thresholds in cheaper[::-1].tolist()]


def certify(
    rows: ExitRows, candidates: Sequence[tuple[float, ...]], settings: ExitsParams
) -> list[float]:
    """Test candidates in their order; give the p-values of those before the first that fails."""
    p_values: list[float] = []
    for thresholds in candidates:
        losses = losses_of(rows, thresholds)
        found = p_value(settings.risk, losses, epsilon=settings.epsilon, delta=settings.delta)
        if found > settings.delta:
            break
        p_values.append(found)
    return p_values


def statement(settings: ExitsParams, candidates: CandidateCounts, rows: int) -> str:
    """Say in a sentence what is promised, or that nothing could be certified on so many rows."""
    if not candidates.found:
        return "The network has one exit, so there is nothing to certify."
    if not candidates.certified:
        return (
            f"No early exit could be certified on {rows:,} images, so the full model "
            "is used: every image takes the whole network."
        )
    promise = f"at most {settings.epsilon * 100:g} % of new images"
    confidence = f"with {100 - settings.delta * 100:g} % confidence"
    if settings.risk == "consistency":
        return f"Guaranteed {confidence}: {promise} get another answer than the last exit's."
    return (
        f"Guaranteed {confidence}: early exits lose right answers on balance in {promise}, "
        "against the last exit."
    )


def _check_rows_suffice(
    groups: npt.NDArray[np.integer], testing: int, seen_rows: int, settings: ExitsParams
) -> None:
    epsilon, delta = settings.epsilon, settings.delta
    needed = rows_needed(settings.risk, epsilon=epsilon, delta=delta)
    if testing >= needed:
        return
    rows, together = len(groups), len(np.unique(groups))
    images = f"{rows:,} images" + (f" in {together:,} groups" if together < rows else "")
    raise CalibrationError(
        f"the calibration split has {images}, which leaves {testing:,} to test on; to "
        f"certify exits.epsilon {epsilon:g} at exits.delta {delta:g} takes {needed:,}: give the "
        f"split {max(2 * needed, seen_rows + needed):,} "
        f"{'groups' if together < rows else 'images'}, or raise exits.epsilon or exits.delta"
    )


def p_value(risk: Risk, losses: npt.ArrayLike, *, epsilon: float, delta: float) -> float:
    """Give the p-value of "the mean loss is above `epsilon`": a small one says that it is not.

    Args:
        risk: `consistency`, losses 0 or 1, whose exact p-value is P[Bin(n, ε) ≤ losses];
            `accuracy_gap`, losses −1, 0 or 1.
        losses: [n], of independent images, in an order that does not depend on them.
        epsilon: mean loss that is promised, 0 < ε < 1.
        delta: the level that the p-value will be held against; shapes the bets of `accuracy_gap`.
    """
    if risk == "accuracy_gap":
        return betting_p_value(losses, epsilon=epsilon, delta=delta)
    # SciPy costs 0.3 s, which importing this file must not.
    from scipy.special import bdtr

    return float(bdtr(np.sum(losses), np.size(losses), epsilon))


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
    unbounded = np.sqrt(2.0 * math.log(1.0 / delta) / (len(x) * before))
    # The cap keeps the wealth above 0 whatever comes.
    stakes = np.minimum(unbounded, 0.9 / (1.0 - promised))
    log_wealth = np.cumsum(np.log1p(stakes * (promised - x)))
    return float(np.exp(-max(0.0, log_wealth.max(initial=0.0))))


def rows_needed(risk: Risk, *, epsilon: float, delta: float) -> int:
    """Give the fewest rows on which a policy that loses nothing has a p-value of at most δ.

    For `consistency` that is ln δ / ln(1 − ε), rounded up; for `accuracy_gap` a few more.
    """
    rows = max(1, math.ceil(math.log(delta) / math.log1p(-epsilon) - 1e-9))
    if risk == "consistency":
        return rows

    def certifies(number: int) -> bool:
        return betting_p_value(np.zeros(number), epsilon=epsilon, delta=delta) <= delta

    enough = rows
    while not certifies(enough):
        rows, enough = enough, 2 * enough
    return bisect_left(range(enough), True, lo=rows, key=certifies)
