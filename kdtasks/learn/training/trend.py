"""Whether a training was still improving at its end."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.records.training import Trend

# A rise of less, as a fraction of what is right, is not worth a word.
LEAST = 0.005

# Student's t of four degrees of freedom, the fewest of a half, is above 3 in 2.0 % of all draws,
# and of two, as three seeds have, in 4.8 %.
ERRORS = 3

# A line through fewer epochs than these leaves no scatter.
_EPOCHS = 3


def trend_of(history: Sequence[Mapping[str, float]]) -> Trend | None:
    """Fit lines to the validation score: through the second half of the epochs, and before.

    The half, because a learning rate that falls to 0 flattens the end of every curve, also where
    twice the epochs would bring much. The scatter of the quarter before tells how much of the rise
    is the falling rate's: what its steps no longer scatter, they gain (`benchmarks.more_epochs`).

    Args:
        history: one record an epoch; of masks the mean IoU counts, else the accuracy, whatever
            models are compared by: it moves in small steps where a class has few images.

    Returns: None of fewer than twelve epochs.
    """
    scores = np.array(
        [record.get("validation_mean_iou", record["validation_accuracy"]) for record in history]
    )
    half, quarter = len(scores) // 2, len(scores) // 4
    if quarter < _EPOCHS:
        return None
    slope, scatter = _line(scores[-half:])
    _, scatter_before = _line(scores[-half - quarter : -half])
    return Trend(
        rise=round(half * slope, 6),
        # Of a slope: the scatter over √Σ (epoch − mean)², which is √(n (n² − 1) / 12).
        standard_error=round(scatter * (12 * half / (half**2 - 1)) ** 0.5, 6),
        scatter_before=round(scatter_before, 6),
    )


def _line(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Give slope and scatter (residual standard deviation) of the least-squares line."""
    epochs = np.arange(len(scores)) - (len(scores) - 1) / 2
    slope = float(epochs @ scores / (epochs @ epochs))
    residuals = scores - scores.mean() - slope * epochs
    return slope, float((residuals @ residuals / (len(scores) - 2)) ** 0.5)


def still_rising(trends: Sequence[Trend]) -> float | None:
    """Give the mean rise of runs, one a seed, where it says that they were still improving.

    It does where it is at least `LEAST`, at least the scatter of an epoch before (root mean square
    of the runs), and at least `ERRORS` times its standard error: what the scatter of the epochs
    around their line leaves, or what the seeds' spread does, whichever is larger.
    """
    if not trends:
        return None
    rises = np.array([trend.rise for trend in trends])
    scatter, before = (
        float(np.mean(np.square([getattr(trend, name) for trend in trends])))
        for name in ("standard_error", "scatter_before")
    )
    spread = float(rises.var(ddof=1)) if len(rises) > 1 else 0.0
    error = (max(scatter, spread) / len(rises)) ** 0.5
    mean = float(rises.mean())
    return mean if mean >= max(LEAST, before**0.5, ERRORS * error) else None
