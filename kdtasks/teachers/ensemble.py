"""Several teachers as one: the mean of what they hold probable."""

from collections.abc import Sequence

import numpy as np


def mean_logits(members: Sequence[np.ndarray]) -> np.ndarray:
    """Return log of the mean of the members' probabilities, float32.

    An ensemble is a mixture whose members weigh the same: p = 1/M · Σ softmax(z_m)
    (Lakshminarayanan, Pritzel and Blundell, "Deep Ensembles", arXiv 1612.01474, section 2.4). Its
    softmax is p again, so nothing is softened twice. The mean of the logits instead would let the
    member with the largest logits, the surest one, decide. All is computed from logarithms, so
    nothing underflows.

    Arguments:
        members: float [N, …, classes], the logits of each member.
    """
    total = _log_softmax(members[0])
    for logits in members[1:]:
        total = np.logaddexp(total, _log_softmax(logits))
    return total - np.float32(np.log(len(members)))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = (logits - logits.max(axis=-1, keepdims=True)).astype(np.float32)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
