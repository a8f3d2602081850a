"""Pick the test patches that the report shows."""

import numpy as np
import numpy.typing as npt

from kdtasks.training.accuracy import counted


def pick_patches(
    labels: npt.NDArray[np.integer], ignore_label: int | None, *, count: int = 10
) -> npt.NDArray[np.int64]:
    """Pick patches by their labels alone, those of many classes first: int64 [at most count].

    Whoever looks at them sees every model on the same patches, chosen by none of them. Of patches
    with equally many classes those come first whose classes are the most even; of equals the
    earlier.

    Arguments:
        labels: integers [N, height, width].
    """
    counts = np.array(
        [np.bincount(mask[counted(mask, ignore_label)], minlength=256) for mask in labels]
    )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(shares * np.log(shares), axis=1)
    most_first = np.lexsort((np.round(-entropy, 9), -(counts > 0).sum(axis=1)))
    return np.sort(most_first[:count])
