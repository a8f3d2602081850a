"""Images that stand out: far from their class, dark, bright, nearly uniform, of unusual size.

Each is told by one number an image, and by Tukey's outer fences: what lies more than three
interquartile ranges beyond the quartiles is far out (Tukey, Exploratory Data Analysis, 1977). Where
nearly all are alike the fences lie close, so a least distance from the median is asked for besides.
They are for a person to look at; nothing is left out for them.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.records.findings import Oddity
from kdtasks.core.subset import evenly_spaced
from kdtasks.data.spool import transformed
from kdtasks.data.stacked_rows import in_parts
from kdtasks.edge.decoder import Header, Size

Floats = npt.NDArray[np.float64]
Images = Any  # uint8, in memory or read by rows

FENCE = 3.0
# Grey levels of 0 … 255: so far a mean is from the median at least, so small a contrast is.
LEAST_LEVELS, UNIFORM_LEVELS = 48.0, 4.0
# Least distance of a class's images from it, as a multiple of their median.
LEAST_FAR = 2.0
# Images of a class below which nobody can say what is usual.
LEAST_IMAGES = 8
# Least factors to the median: of width over height, and of the number of pixels.
LEAST_ASPECT, LEAST_AREA = 2.0, 4.0
# Blocks a side that images are averaged over, to be compared with their class.
_BLOCKS = 8
# Images of a class, as averages, that its median is of, and that are compared with it at a time.
_MOST_OF_MEDIAN, _MOST_AT_ONCE = 10_000, 1_000


class Levels(NamedTuple):
    """Of each image the mean level and the largest standard deviation of a channel: [N]."""

    mean: Floats
    contrast: Floats


class Outlier(NamedTuple):
    """An image that stands out: its place, by how much (higher is odder), and what it is."""

    row: int
    amount: float
    note: str


def levels_of(images: Images) -> Levels:
    """Measure images, uint8 [N, height, width, channels]."""
    means, contrasts = np.empty(len(images)), np.empty(len(images))
    pixels, channels = int(np.prod(images.shape[1:3])), images.shape[3]
    start = 0
    for some in in_parts(images):
        flat = some.astype(np.float32).reshape(-1, pixels, channels)
        # many times as fast as `mean` and `std` along an axis that is not the last
        mean = np.full((1, pixels), 1 / pixels, np.float32) @ flat
        flat -= mean
        part = slice(start, start + len(some))
        start = part.stop
        means[part] = mean.mean(axis=(1, 2))
        contrasts[part] = np.sqrt(np.einsum("npc,npc->nc", flat, flat).max(axis=1) / pixels)
    return Levels(means, contrasts)


def image_outliers(
    images: Images, classes: npt.NDArray[np.integer], levels: Levels
) -> dict[Oddity, list[Outlier]]:
    """Find images that stand out by their pixels, the oddest first.

    Args:
        images: uint8 [N, height, width, channels].
        classes: [N], what each is compared within.
        levels: of the images.
    """
    low, high = outside_fences(levels.mean, LEAST_LEVELS)
    distances, typical = class_distances(images, classes)
    far = np.zeros(len(images), bool)
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        if len(rows) >= LEAST_IMAGES:
            least = (LEAST_FAR - 1.0) * typical[rows[0]]
            far[rows] = outside_fences(distances[rows], least)[1]
    uniform = levels.contrast < UNIFORM_LEVELS
    by_kind: dict[Oddity, list[Outlier]] = {
        "far": [
            Outlier(
                row, distances[row] / typical[row], f"{distances[row] / typical[row]:.1f}× as far"
            )
            for row in np.flatnonzero(far & ~uniform).tolist()
        ],
        "dark": [
            Outlier(row, -levels.mean[row], f"mean level {levels.mean[row]:.0f}")
            for row in np.flatnonzero(low).tolist()
        ],
        "bright": [
            Outlier(row, levels.mean[row], f"mean level {levels.mean[row]:.0f}")
            for row in np.flatnonzero(high).tolist()
        ],
        "uniform": [
            Outlier(row, -levels.contrast[row], f"contrast {levels.contrast[row]:.1f}")
            for row in np.flatnonzero(uniform).tolist()
        ],
    }
    return {kind: sorted(outliers, key=lambda outlier: (-outlier.amount, outlier.row))
            for kind, outliers in by_kind.items()}  # fmt: skip


def size_outliers(headers: Iterable[Header], image_size: Size) -> list[Outlier]:
    """Find files of unusual shape or size, and those that have to be enlarged to twice and more.

    Args:
        headers: of the files.
        image_size: height and width that images are resized to.

    Returns:
        places in `headers`, the oddest first.
    """
    numbers = (side for header in headers for side in header.upright_size)
    sides = np.fromiter(numbers, np.float64).reshape(-1, 2)
    if not len(sides):
        return []
    factors = {
        "shape": (np.log2(sides[:, 1] / sides[:, 0]), np.log2(LEAST_ASPECT)),
        "size": (np.log2(sides[:, 0] * sides[:, 1]), np.log2(LEAST_AREA)),
    }
    amount = np.zeros(len(sides))
    for values, least in factors.values():
        outliers = np.logical_or(*outside_fences(values, least))
        amount[outliers] = np.maximum(
            amount[outliers], np.abs(values - np.median(values))[outliers]
        )
    enlarged = np.log2(np.array(image_size) / sides).max(axis=1)
    amount = np.where(enlarged >= 1.0, np.maximum(amount, enlarged), amount)
    order = np.lexsort((np.arange(len(sides)), -amount))
    return [
        Outlier(row, float(amount[row]), f"{sides[row, 1]:.0f} × {sides[row, 0]:.0f}")
        for row in order.tolist()
        if amount[row] > 0
    ]


def outside_fences(
    values: Floats, least: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Tell which values lie beyond the outer fences, below and above: bool [N] each.

    Args:
        values: [N].
        least: so far from the median as well.
    """
    if not len(values):
        return np.zeros(0, bool), np.zeros(0, bool)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    beyond = FENCE * (high - low)
    return (
        values < np.minimum(low - beyond, middle - least),
        values > np.maximum(high + beyond, middle + least),
    )


def class_distances(images: Images, classes: npt.NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Measure how far images are from their class, and how far its images are in the median.

    Images are averaged over 8 × 8 blocks; the distance is the root mean square, over blocks and
    channels, of the difference from the class's median image. Of a class of more than 10,000, that
    is the median of as many, evenly spread, so that memory is bounded.

    Args:
        images, classes: as of `image_outliers`.

    Returns:
        two arrays [N], in grey levels; the second is 1e-6 at least.
    """
    blocks = transformed(images, _blocks)
    distances, typical = np.zeros(len(images)), np.ones(len(images))
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        some = rows[evenly_spaced(range(len(rows)), _MOST_OF_MEDIAN)]
        median = np.median(blocks[some], axis=0, overwrite_input=True)
        for some in np.array_split(rows, -(-len(rows) // _MOST_AT_ONCE)):
            distances[some] = np.sqrt(((blocks[some] - median) ** 2).mean(axis=1))
        typical[rows] = max(float(np.median(distances[rows])), 1e-6)
    return distances, typical


def _blocks(images: npt.NDArray[np.uint8]) -> Floats:
    """Average images over blocks: float64 [N, blocks × channels]."""
    count, *sides, channels = images.shape
    down, across = (np.unique(np.arange(_BLOCKS) * side // _BLOCKS) for side in sides)
    areas = np.outer(np.diff(down, append=sides[0]), np.diff(across, append=sides[1]))
    rows = np.add.reduceat(images.astype(np.float32), down, axis=1)
    sums = np.add.reduceat(rows, across, axis=2)
    return (sums / areas[..., None]).reshape(count, areas.size * channels)
