"""Take only so many pictures, stratified and seeded."""

import numpy as np

from kdtasks.datasets.apportion import apportion
from kdtasks.errors import DatasetError


def choose_rows(
    strata: np.ndarray, max_images: int | None, *, seed: int, needed: np.ndarray | int
) -> np.ndarray:
    """Choose at most `max_images` rows so that every stratum keeps its share.

    Arguments:
        strata: int [N], the stratum of each row.
        max_images: number of rows to keep; None keeps all.
        needed: rows that a stratum keeps at least (all that it has, if fewer): one number, or
            one for each stratum in ascending order.

    Returns:
        int64 [rows], ascending.

    Raises:
        DatasetError: `max_images` is too small to keep the rows needed.
    """
    if max_images is None or max_images >= len(strata):
        return np.arange(len(strata))
    _, members, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    least = int(np.minimum(needed, sizes).sum())
    if max_images < least:
        raise DatasetError(
            f"data.max_images is {max_images}, at least {least} are needed so that every split "
            "gets a picture of every class; raise it, or set it to null to take all"
        )
    keep = apportion(max_images, sizes, needed)
    generator = np.random.default_rng([seed, 1])
    chosen = [
        generator.permutation(np.flatnonzero(members == stratum))[:count]
        for stratum, count in enumerate(keep)
    ]
    return np.sort(np.concatenate(chosen))
