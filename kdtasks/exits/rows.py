"""What thresholds are chosen from: score and correctness of every exit on every picture."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.edge.scores import SCORES
from kdtasks.errors import CalibrationError
from kdtasks.exits.temperature import check_rows


class ExitRows(NamedTuple):
    """Rows of the calibration split; N pictures, K exits.

    Attributes:
        scores: float64 [N, K], confidence of every exit.
        correct: bool [N, K], whether it is right.
        macs: int64 [K], multiply-accumulates up to and including each exit.
    """

    scores: npt.NDArray[np.float64]
    correct: npt.NDArray[np.bool_]
    macs: npt.NDArray[np.int64]

    @property
    def cost(self) -> npt.NDArray[np.float64]:
        """Cost of leaving at each exit [K], as a share of the whole network's MACs."""
        return self.macs / self.macs[-1]


def exit_rows(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    temperatures: Sequence[float],
    macs: Sequence[int],
    score: str = "max_probability",
) -> ExitRows:
    """Score every exit on every picture.

    Args:
        logits: [N, K, classes].
        labels: integers [N].
        temperatures: [K], positive.
        macs: [K], whole numbers that do not decrease.
        score: name of the confidence, a key of `SCORES`.

    Raises:
        CalibrationError: the arguments do not fit together.
    """
    checked, classes = check_rows(logits, labels)
    exits = checked.shape[1] if checked.ndim == 3 else None
    costs = np.asarray(macs)
    if exits is None or len(temperatures) != exits or len(costs) != exits:
        raise CalibrationError(
            f"logits are {list(checked.shape)} with {len(temperatures)} temperatures and "
            f"{len(costs)} MAC counts; logits [pictures, exits, classes] and one of each an exit "
            "were expected"
        )
    if costs.dtype.kind not in "iu" or costs[0] < 1 or (np.diff(costs) < 0).any():
        raise CalibrationError(
            f"macs are {list(macs)}; positive whole numbers that do not decrease from exit to "
            "exit were expected, count all that runs up to each exit"
        )
    if score not in SCORES:
        raise CalibrationError(f"there is no score {score!r}; the scores are {', '.join(SCORES)}")
    if min(temperatures) <= 0.0:
        raise CalibrationError(f"temperatures are {list(temperatures)}; all must be above 0")
    return ExitRows(
        scores=SCORES[score](checked, np.asarray(temperatures)),
        correct=checked.argmax(axis=2) == classes[:, None],
        macs=costs.astype(np.int64),
    )
