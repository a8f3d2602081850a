"""Confidence of an exit from its logits; the same arithmetic at calibration and on the device.

Every score is larger where the exit is surer.
"""

import numpy as np
import numpy.typing as npt

# Thresholds that every score reaches, and none; JSON has no infinity.
ALWAYS, NEVER = -1e300, 1e300
Floats = npt.NDArray[np.float64]


def softmax(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Turn logits into probabilities, softened by a temperature.

    Args:
        logits: [..., classes], any real dtype; large values are safe.
        temperature: > 0, a number or an array that broadcasts to the leading axes of `logits`
            (one for each exit, [K], with logits [N, K, classes]).
    """
    probabilities = _below_largest(logits, temperature)
    np.exp(probabilities, out=probabilities)
    probabilities /= np.add.reduce(probabilities, axis=-1, keepdims=True)
    return probabilities


def max_probability(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Give the largest softened probability, in [1 / classes, 1]; arguments as for `softmax`."""
    # The largest logit has the exponential 1, so this is the maximum of `softmax` to the last bit.
    return 1.0 / np.exp(_below_largest(logits, temperature)).sum(axis=-1)


def margin(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Give the largest softened probability less the second largest, in [0, 1].

    Arguments as for `softmax`, with two classes at least.
    """
    probabilities = np.partition(softmax(logits, temperature), -2, axis=-1)
    return probabilities[..., -1] - probabilities[..., -2]


def entropy(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Give 1 − H / ln classes, H the entropy of the softened probabilities, in [0, 1].

    It is 1 where one class has all the probability, 0 where all classes are equal. Arguments as
    for `softmax`, with two classes at least.
    """
    below = _below_largest(logits, temperature)
    exponentials = np.exp(below)
    total = exponentials.sum(axis=-1)
    spread = np.log(total) - (exponentials * below).sum(axis=-1) / total
    # Rounding can leave −1e-16 where all classes are equal.
    return np.clip(1.0 - spread / np.log(below.shape[-1]), 0.0, 1.0)


def energy(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Give T · ln Σ exp(z / T), the negative free energy: any number, in the logits' own units.

    Liu et al., "Energy-based Out-of-distribution Detection", arXiv 2010.03759. Arguments as for
    `softmax`.
    """
    largest = np.asarray(logits, np.float64).max(axis=-1)
    totals = np.exp(_below_largest(logits, temperature)).sum(axis=-1)
    return largest + np.asarray(temperature, np.float64) * np.log(totals)


# Name to function of logits and temperature.
SCORES = {score.__name__: score for score in (max_probability, margin, entropy, energy)}


def _below_largest(logits: npt.ArrayLike, temperature: npt.ArrayLike) -> Floats:
    """Logits over temperature, less the largest of them: 0 and below; an array of its own."""
    scaled = np.array(logits, np.float64)
    # Microseconds count on a device: in place, and one temperature needs no array.
    if isinstance(temperature, float):
        scaled /= temperature
    else:
        scaled = scaled / np.asarray(temperature, np.float64)[..., None]
    scaled -= np.maximum.reduce(scaled, axis=-1, keepdims=True)
    return scaled


def apply_policy(scores: npt.ArrayLike, thresholds: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Tell for each image the exit that it leaves at.

    Args:
        scores: [N, K − 1] of the early exits, or [N, K]; the last exit always leaves.
        thresholds: [K − 1].

    Returns:
        exit index [N], 0…K − 1.
    """
    limits = np.asarray(thresholds, np.float64)
    early = np.asarray(scores, np.float64)[:, : len(limits)]
    leaves = np.concatenate([early >= limits, np.ones((len(early), 1), bool)], axis=1)
    return leaves.argmax(axis=1)
