"""Whether an exit is sure enough: decided in a few microseconds, just as `scores` would."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtasks.edge.scores import SCORES

# With more classes numpy's arrays are faster than Python's lists.
_MOST_CLASSES = 48
_MOST_STEPS = 255
# Rounding to float32 moves a number by at most this share of it.
_ROUNDING = 2.0**-24


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
