"""What thresholds are chosen from: score and correctness of every exit on every image."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import CalibrationError
from kdtasks.edge.scores import SCORES

BOUNDS = (0.05, 100.0)


class ExitRows(NamedTuple):
    """Rows of the calibration split; N images, K exits.

    Attributes:
        scores: float64 [N, K], confidence of every exit.
        correct: bool [N, K], whether it is right.
        macs: int64 [K], multiply-accumulates up to and including each exit.
    """

    scores: npt.NDArray[np.float64]
    correct: npt.NDArray[np.bool_]
    macs: npt.NDArray[np.int64]

    @property
    def cost(self) -> npt.NDArray[np.float64]:
        """Cost of leaving at each exit [K], as a share of the whole network's MACs."""
        return self.macs / self.macs[-1]


def exit_rows(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    temperatures: Sequence[float],
    macs: Sequence[int],
    score: str = "max_probability",
) -> ExitRows:
    """Score every exit on every image.

    Args:
        logits: [N, K, classes].
        labels: integers [N].
        temperatures: [K], positive.
        macs: [K], whole numbers that do not decrease.
        score: name of the confidence, a key of `SCORES`.

    Raises:
        CalibrationError: the arguments do not fit together.
    """
    checked, classes = check_rows(logits, labels)
    exits = checked.shape[1] if checked.ndim == 3 else None
    costs = np.asarray(macs)
    if exits is None or len(temperatures) != exits or len(costs) != exits:
        raise CalibrationError(
            f"logits are {list(checked.shape)} with {len(temperatures)} temperatures and "
            f"{len(costs)} MAC counts; logits [images, exits, classes] and one of each an exit "
            "were expected"
        )
    if costs.dtype.kind not in "iu" or costs[0] < 1 or (np.diff(costs) < 0).any():
        raise CalibrationError(
            f"macs are {list(macs)}; positive whole numbers that do not decrease from exit to "
            "exit were expected, count all that runs up to each exit"
        )
    if score not in SCORES:
        raise CalibrationError(f"there is no score {score!r}; the scores are {', '.join(SCORES)}")
    if min(temperatures) <= 0.0:
        raise CalibrationError(f"temperatures are {list(temperatures)}; all must be above 0")
    return ExitRows(
        scores=SCORES[score](checked, np.asarray(temperatures)),
        correct=checked.argmax(axis=2) == classes[:, None],
        macs=costs.astype(np.int64),
    )


"""Temperatures tried: an exit without a mistake would otherwise be scaled without end."""


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Give the temperature with the least negative log-likelihood of the labels.

    Temperature scaling of Guo et al., "On Calibration of Modern Neural Networks",
    arXiv 1706.04599. The likelihood has one optimum in the inverse temperature, so the bounded
    search on its logarithm finds it.

    Args:
        logits: [N, classes].
        labels: integers [N], 0…classes − 1.

    Raises:
        CalibrationError: there are no rows, or logits and labels do not fit.
    """
    # SciPy costs 0.3 s, which importing this file must not.
    from scipy.optimize import minimize_scalar

    logits, labels = check_rows(logits, labels)
    shifted = logits - logits.max(axis=1, keepdims=True)
    of_label = shifted[np.arange(len(labels)), labels]

    def negative_log_likelihood(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        totals = np.log(np.exp(shifted * inverse).sum(axis=1))
        return float((totals - of_label * inverse).mean())

    found = minimize_scalar(
        negative_log_likelihood,
        bounds=(np.log(BOUNDS[0]), np.log(BOUNDS[1])),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def fit_temperatures(logits: npt.ArrayLike, labels: npt.ArrayLike) -> list[float]:
    """Fit one temperature for each exit; `logits` are [N, K, classes]."""
    every = np.asarray(logits)
    if every.ndim != 3:
        raise CalibrationError(
            f"logits are {list(every.shape)}; [images, exits, classes] were expected"
        )
    return [fit_temperature(every[:, k], labels) for k in range(every.shape[1])]


def check_rows(
    logits: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Give logits [N, …, classes] and labels [N] as arrays that fit each other.

    Raises:
        CalibrationError: there are no rows, their numbers differ, a logit is not finite, or a
            label is no class.
    """
    scores = np.asarray(logits, np.float64)
    classes = np.asarray(labels)
    if classes.ndim != 1 or len(classes) == 0 or len(scores) != len(classes):
        raise CalibrationError(
            f"logits are {list(scores.shape)}, labels {list(classes.shape)}; one label an image "
            "and at least one image are needed"
        )
    if not np.isfinite(scores).all():
        raise CalibrationError(
            "some logits are not finite numbers; the model is broken, train or export it again"
        )
    if classes.dtype.kind not in "iu" or classes.min() < 0 or classes.max() >= scores.shape[-1]:
        raise CalibrationError(
            f"labels are {classes.dtype} from {classes.min()} to {classes.max()}; integers from 0 "
            f"to {scores.shape[-1] - 1} were expected, one for each logit"
        )
    return scores, classes.astype(np.int64)
