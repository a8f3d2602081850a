"""What thresholds are chosen from: score and correctness of every exit on every image."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import CalibrationError
from kdtasks.edge.scores import SCORES, apply_policy

# Temperatures tried: an exit without a mistake would otherwise be scaled without end.
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
        """Cost of leaving at each exit [K], as a fraction of the whole network's MACs."""
        return self.macs / self.macs[-1]

    def take(self, rows: npt.NDArray[np.integer]) -> Self:
        """Give the rows of these indices."""
        return self._replace(scores=self.scores[rows], correct=self.correct[rows])


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
        CalibrationError: as of `check_rows`.
    """
    logits, labels = check_rows(logits, labels)
    return ExitRows(
        scores=SCORES[score](logits, np.asarray(temperatures)),
        correct=logits.argmax(axis=2) == labels[:, None],
        macs=np.asarray(macs, np.int64),
    )


def losses_of(rows: ExitRows, thresholds: Sequence[float]) -> npt.NDArray[np.int64]:
    """Give right answers lost against the last exit, image by image: −1, 0 or 1, [N]."""
    left_at = apply_policy(rows.scores, thresholds)
    right = rows.correct.astype(np.int64)
    losses: npt.NDArray[np.int64] = right[:, -1] - right[np.arange(len(left_at)), left_at]
    return losses


def fit_temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> float:
    """Give the temperature with the least negative log-likelihood of the labels.

    Temperature scaling of Guo et al., "On Calibration of Modern Neural Networks",
    arXiv 1706.04599. The likelihood has one optimum in the inverse temperature, so the bounded
    search on its logarithm finds it.

    Args:
        logits: [N, classes].
        labels: [N], 0…classes − 1.
    """
    # SciPy costs 0.3 s, which importing this file must not.
    from scipy.optimize import minimize_scalar

    shifted = logits - logits.max(axis=1, keepdims=True)
    of_label = shifted[np.arange(len(labels)), labels]

    def negative_log_likelihood(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        totals = np.log(np.exp(shifted * inverse).sum(axis=1))
        return float((totals - of_label * inverse).mean())

    optimum = minimize_scalar(
        negative_log_likelihood,
        bounds=(np.log(BOUNDS[0]), np.log(BOUNDS[1])),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(optimum.x))


def fit_temperatures(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> list[float]:
    """Fit one temperature for each exit; `logits` are [N, K, classes], `labels` [N]."""
    return [fit_temperature(logits[:, k], labels) for k in range(logits.shape[1])]


def check_rows(
    logits: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Give logits [N, K, classes] and labels [N] as arrays that fit each other.

    Raises:
        CalibrationError: there are no rows, the shapes differ, or a logit is not finite.
    """
    scores, classes = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    if scores.ndim != 3 or classes.shape != scores.shape[:1] or not len(classes):
        raise CalibrationError(
            f"logits are {list(scores.shape)}, labels {list(classes.shape)}; [images, exits, "
            "classes] and one label an image were expected, of at least one image"
        )
    if classes.min() < 0 or classes.max() >= scores.shape[2]:
        raise CalibrationError(
            f"labels are {classes.min()} … {classes.max()}, the model knows {scores.shape[2]} "
            "classes; calibrate on the dataset that it was trained for"
        )
    if not np.isfinite(scores).all():
        raise CalibrationError(
            "some logits are not finite numbers; the model is broken, train or export it again"
        )
    return scores, classes
