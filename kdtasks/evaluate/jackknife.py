"""Intervals over source images, of fractions of their pixels: the jackknife's."""

import numpy as np
import numpy.typing as npt

from kdtasks.evaluate.intervals import Interval, seeds_interval, wilson_interval

# Source images below which no interval keeps its level (docs/evidence.md).
FEWEST_IMAGES = 8


def jackknife_interval(
    left_out: npt.NDArray[np.float64], pixels: int, confidence: float
) -> Interval | None:
    """Give the jackknife's t interval of a fraction over source images, on the logit scale.

    With a dozen images a bootstrap's percentiles are too narrow by a third; Student's t with the
    jackknife's variance is not, and the logit keeps the ends between 0 and 1.

    Args:
        left_out: float [1 + images], the fraction of all images, and of all but each.
        pixels: of all images.
        confidence: level, 0 … 1 without the ends.

    Returns: the interval; None of fewer than `FEWEST_IMAGES`, and of images without any spread,
        unless the fraction is 0 or 1: then Wilson's, of so many images all alike.

    Source: Tukey 1958, Ann. Math. Stat. 29, 614 (abstract); Efron and Tibshirani 1993, An
        Introduction to the Bootstrap, chapter 11.
    """
    images = len(left_out) - 1
    if images < FEWEST_IMAGES:
        return None
    if left_out[0] in (0, 1):
        return wilson_interval(int(left_out[0]) * images, images, confidence)
    half_a_pixel = 0.5 / pixels  # keeps the logit of all right, and of none, finite
    found = left_out.clip(half_a_pixel, 1 - half_a_pixel)
    interval = seeds_interval(pseudo_values(np.log(found / (1 - found))), confidence)
    if interval is None:
        return None
    low, high = (float(1 / (1 + np.exp(-end))) for end in interval)
    return low, high


def pseudo_values(scores: npt.NDArray[np.float64]) -> list[float]:
    """What each image adds: n times the score of all less n − 1 times that of the others.

    Args:
        scores: float [1 + images], of all images, and of all but each.
    """
    images = len(scores) - 1
    return (images * scores[0] - (images - 1) * scores[1:]).tolist()
