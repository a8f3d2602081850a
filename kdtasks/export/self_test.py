"""Choose the pictures of a bundle's self-test and note what the exported file answers."""

import numpy as np
import numpy.typing as npt

from kdtasks.edge.scores import SCORES
from kdtasks.edge.segments import Segments
from kdtasks.edge.self_test import SelfTest
from kdtasks.exits.policy import apply_policy

SEARCHED = 256
"""So many pictures are looked at to find some for every exit."""
MOST_BYTES = 256 * 1024
"""A self-test travels with every bundle; large pictures are fewer, one at least."""

# Other processors round differently: a step of quantised logits here and there, and float sums in
# another order. Anything broken is off by far more than this share of the logits' range.
_STEPS = 4
_SHARE = 0.01


def make_self_test(
    segments: Segments,
    images: npt.NDArray[np.uint8],
    *,
    pictures: int,
    task: str,
    score: str,
    temperatures: npt.ArrayLike,
    thresholds: npt.ArrayLike,
) -> SelfTest:
    """Run some pictures through an exported file.

    Of classifiers every exit's pictures come in turn, so that a few show all exits at work.

    Arguments:
        segments: the exported file.
        images: uint8 [N, height, width, channels], of the calibration split.
        pictures: how many to keep; 0 for noise in place of pictures, which must not leave the
            house.
        task: `classification` or `segmentation`.
        score, temperatures, thresholds: of the bundle.
    """
    shape = segments.input_shape
    most = max(1, MOST_BYTES // int(np.prod(shape)))
    if pictures == 0:
        few = min(4, most)
        noise = np.random.default_rng(0).integers(0, 256, (few, *shape), np.uint8)
        return _record(segments, noise)
    kept = min(pictures, most, len(images))
    if task != "classification" or segments.count == 1:
        return _record(segments, np.array(images[:kept]))
    searched = np.array(images[:SEARCHED])
    scores = SCORES[score](segments.logits_of(searched), np.asarray(temperatures))
    rows = in_turn(apply_policy(scores, thresholds))[:kept]
    return _record(segments, searched[rows])


def in_turn(exit_index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Order rows so that exits alternate: the first of every exit, the second of every, and on.

    Arguments:
        exit_index: [N].

    Returns: [N], row numbers.
    """
    place = np.empty(len(exit_index), np.int64)
    for exit_number in np.unique(exit_index):
        rows = np.flatnonzero(exit_index == exit_number)
        place[rows] = np.arange(len(rows))
    return np.lexsort((exit_index, place))


def _record(segments: Segments, images: npt.NDArray[np.uint8]) -> SelfTest:
    logits = segments.logits_of(images)
    by_exit = np.moveaxis(logits, 1, 0).reshape(segments.count, -1)
    steps = _STEPS * np.asarray(segments.logits_scales, np.float32)
    tolerance = np.maximum(steps, np.float32(_SHARE) * np.ptp(by_exit, axis=1))
    return SelfTest(images, logits, tolerance.astype(np.float32))
