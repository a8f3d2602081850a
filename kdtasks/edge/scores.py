"""Confidence of an exit from its logits; the same arithmetic at calibration and on the device.

Every score is larger where the exit is surer.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

ALWAYS = -1e300
NEVER = 1e300
Floats = npt.NDArray[np.float64]
Score = Callable[[npt.ArrayLike, npt.ArrayLike], Floats]

# With more classes numpy's arrays are faster than Python's lists.
_MOST_CLASSES = 48
_MOST_STEPS = 255

# Rounding to float32 moves a number by at most this share of it.
_ROUNDING = 2.0**-24


"""A threshold that every score reaches; JSON has no infinity."""


"""A threshold that no score reaches."""


def softmax(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Turn logits into probabilities, softened by a temperature.

    Args:
        logits: [..., classes], any real dtype; large values are safe.
        temperature: > 0, a number or an array that broadcasts to the leading axes of `logits`
            (one for each exit, [K], with logits [N, K, classes]).
    """
    probabilities = _below_largest(logits, temperature)
    np.exp(probabilities, out=probabilities)
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    return probabilities


def max_probability(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Give the largest softened probability, in [1 / classes, 1]; arguments as for `softmax`."""
    # The largest logit has the exponential 1, so this is the maximum of `softmax` to the last bit.
    score: Floats = 1.0 / np.exp(_below_largest(logits, temperature)).sum(axis=-1)
    return score


def margin(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Give the largest softened probability less the second largest, in [0, 1].

    Arguments as for `softmax`, with two classes at least.
    """
    probabilities = np.partition(softmax(logits, temperature), -2, axis=-1)
    difference: Floats = probabilities[..., -1] - probabilities[..., -2]
    return difference


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
    certainty: Floats = np.clip(1.0 - spread / np.log(below.shape[-1]), 0.0, 1.0)
    return certainty


def energy(logits: npt.ArrayLike, temperature: npt.ArrayLike = 1.0) -> Floats:
    """Give T · ln Σ exp(z / T), the negative free energy: any number, in the logits' own units.

    Liu et al., "Energy-based Out-of-distribution Detection", arXiv 2010.03759. Arguments as for
    `softmax`.
    """
    largest = np.asarray(logits, np.float64).max(axis=-1)
    totals = np.exp(_below_largest(logits, temperature)).sum(axis=-1)
    score: Floats = largest + np.asarray(temperature, np.float64) * np.log(totals)
    return score


SCORES: dict[str, Score] = {
    "max_probability": max_probability,
    "margin": margin,
    "entropy": entropy,
    "energy": energy,
}


"""Name to function of logits and temperature."""


def _below_largest(logits: npt.ArrayLike, temperature: npt.ArrayLike) -> Floats:
    """Logits over temperature, less the largest of them: 0 and below; an array of its own."""
    scaled = np.array(logits, np.float64)
    # Microseconds count on a device: in place, and one temperature needs no array.
    if isinstance(temperature, float):
        scaled /= temperature
    else:
        scaled = scaled / np.asarray(temperature, np.float64)[..., None]
    scaled -= scaled.max(axis=-1, keepdims=True)
    return scaled


class Decision:
    """Compares the score of one exit with its threshold.

    Of `max_probability` and few classes the score is computed in Python's own numbers, from the
    numbers of the file: a dozen calls of numpy for ten classes take longer than a small segment
    runs. Where rounding could turn the comparison, the exact score decides.
    """

    def __init__(
        self,
        *,
        score: str,
        temperature: float,
        threshold: float,
        scale: float,
        steps: int,
        num_classes: int,
        decode: Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]],
    ) -> None:
        """Prepare the comparison.

        Args:
            score: a name of `kdtasks.edge.scores.SCORES`.
            temperature, threshold: of the exit.
            scale: a step of the logits in the file, 0 where they are not quantised.
            steps: that they may differ by; 0 where they are not quantised.
            num_classes: of the model.
            decode: from the file's numbers to logits.
        """
        self._score, self._decode = SCORES[score], decode
        self._temperature, self._threshold = temperature, threshold
        self._is_short = score == "max_probability" and num_classes <= _MOST_CLASSES
        self._rate = (scale or 1.0) / temperature
        self._doubt = 1e-9 + 4 * _ROUNDING * steps * self._rate
        # Of 8 bits there are few differences: their exponentials are looked up.
        self._table = [
            math.exp(-difference * self._rate)
            for difference in range(steps + 1 if 0 < steps <= _MOST_STEPS else 0)
        ]

    def __call__(self, numbers: npt.NDArray[Any]) -> bool:
        """Whether the exit answers.

        Args:
            numbers: [classes], the logits as the file gives them.
        """
        if self._is_short:
            values = numbers.tolist()
            largest = max(values)
            if self._table:
                table = self._table
                score = 1.0 / sum([table[largest - value] for value in values])
            else:
                exp, rate = math.exp, self._rate
                score = 1.0 / sum([exp((value - largest) * rate) for value in values])
            if abs(score - self._threshold) > self._doubt:
                return score > self._threshold
        exact = self._score(self._decode(numbers), self._temperature)
        return bool(exact >= self._threshold)


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
