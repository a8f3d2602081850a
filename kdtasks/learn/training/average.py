"""The average of a network's weights over the steps of its training."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kdtasks.core.backend import keras, tf


class WeightAverage:
    """Exponential moving average of weights and of the statistics of batch normalisation.

    After step t it is d · average + (1 − d) · weight with d = min(decay, (1 + t) / (10 + t)), so
    that the first steps, far from where training leads, are soon forgotten
    (`tf.train.ExponentialMovingAverage`). Statistics are averaged like weights, as in EfficientNet
    (Tan and Le 2019, arXiv 1905.11946): they belong to the weights of the same steps, and measuring
    them anew would cost passes over the images in every epoch.

    Attributes:
        state: the averages, in the order of the weights; empty where nothing is averaged.
    """

    def __init__(self, weights: Sequence[Any], decay: float | None, steps: Any) -> None:
        """Begin with the weights as they are.

        Args:
            weights: variables; those of whole numbers are left alone.
            decay: the fraction of the average that a step keeps; None averages nothing.
            steps: variable with the number of steps so far.
        """
        is_averaging = decay is not None
        self._weights = [weight for weight in weights if is_averaging and weight.dtype.is_floating]
        self._average = tf.train.ExponentialMovingAverage(decay, num_updates=steps)
        self.update()
        self.state = [self._average.average(weight) for weight in self._weights]

    def update(self) -> None:
        """Take in the weights after a step."""
        if self._weights:
            self._average.apply(self._weights)

    def install(self) -> None:
        """Put the averages in the place of the weights."""
        for weight, average in zip(self._weights, self.state, strict=True):
            weight.assign(average)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Put the averages in the place of the weights while a block runs."""
        weights = keras.backend.batch_get_value(self._weights)
        self.install()
        try:
            yield
        finally:
            keras.backend.batch_set_value(list(zip(self._weights, weights, strict=True)))
