"""The answer of several teachers together."""

from collections.abc import Sequence

import numpy as np


def mean_logits(members: Sequence[np.ndarray]) -> np.ndarray:
    """Return log of the mean of the members' probabilities, float32.

    An ensemble is a mixture whose members weigh the same: p = 1/M · Σ softmax(z_m)
    (Lakshminarayanan, Pritzel and Blundell, "Deep Ensembles", arXiv 1612.01474, section 2.4). Its
    softmax is p again, so nothing is softened twice. The mean of the logits instead would let the
    member with the largest logits, the surest one, decide. All is computed from logarithms, so
    nothing underflows.

    Args:
        members: float [N, …, classes], the logits of each member.
    """
    from scipy.special import log_softmax  # takes half a second to import

    logarithms = log_softmax(np.asarray(members, np.float32), axis=-1)
    mean: np.ndarray = np.logaddexp.reduce(logarithms) - np.float32(np.log(len(members)))
    return mean
