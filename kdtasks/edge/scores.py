"""Confidence of an exit from its logits; the same arithmetic at calibration and on the device."""

import numpy as np
import numpy.typing as npt

ALWAYS = 0.0
"""A threshold that every score reaches."""
NEVER = 2.0
"""A threshold that no score reaches: scores are at most 1, and JSON has no infinity."""

Floats = npt.NDArray[np.float64]


def softmax(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Turn logits into probabilities, softened by a temperature.

    Args:
        logits: [..., classes], any real dtype; large values are safe.
        temperature: > 0, a number or an array that broadcasts to the leading axes of `logits`
            (one for each exit, [K], with logits [N, K, classes]).
    """
    exponentials = _exponentials(logits, temperature)
    probabilities: Floats = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def max_probability(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Give the largest softened probability, in [1 / classes, 1]; arguments as for `softmax`."""
    # The largest logit has the exponential 1, so this is the maximum of `softmax` to the last bit.
    score: Floats = 1.0 / _exponentials(logits, temperature).sum(axis=-1)
    return score


def _exponentials(logits: npt.ArrayLike, temperature: npt.ArrayLike) -> Floats:
    scaled = np.asarray(logits, np.float64) / np.asarray(temperature, np.float64)[..., None]
    exponentials: Floats = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return exponentials
