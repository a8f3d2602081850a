"""The policy of early exits: leave at the first exit whose score reaches its threshold."""

import numpy as np
import numpy.typing as npt


def apply_policy(scores: npt.ArrayLike, thresholds: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Tell for each picture the exit that it leaves at.

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
