"""Tell logits from probabilities, and take probabilities back to logits."""

import numpy as np

# Rows of probabilities add up to 1 within float16's precision over a thousand classes.
_SUM_TOLERANCE = 1e-2


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether every row is a probability distribution; logits of many rows never all are.

    Arguments:
        outputs: float [N, …, classes].
    """
    sums = outputs.sum(axis=-1)
    return bool((outputs >= 0).all() and (np.abs(sums - 1.0) < _SUM_TOLERANCE).all())


def to_logits(probabilities: np.ndarray) -> np.ndarray:
    """Return log p, whose softmax is p again: nothing is softened twice.

    A probability that underflowed to 0 becomes the logarithm of the smallest float32, about −87.
    """
    return np.log(np.maximum(probabilities.astype(np.float32), np.finfo(np.float32).tiny))
