"""Share out a whole number in proportion."""

import numpy as np


def apportion(total: int, sizes: np.ndarray, minimum: np.ndarray | int = 0) -> np.ndarray:
    """Share `total` over strata in proportion to `sizes`, at least `minimum` and at most all each.

    The largest-remainder method (Hare quota), with bounds.

    Arguments:
        total: number to share out, at most the sum of `sizes` and at least that of `minimum`.
        sizes: int [strata], how many each stratum has.
        minimum: int [strata] or one number for all.

    Returns:
        int64 [strata], adding up to `total`; without bounds in force each is within one of its
        exact share.
    """
    least = np.minimum(minimum, sizes)
    if not least.sum() <= total <= sizes.sum():
        raise ValueError(f"{total} cannot be shared out between {least.sum()} and {sizes.sum()}")
    exact = total * sizes / sizes.sum()
    shares = np.clip(np.floor(exact).astype(np.int64), least, sizes)
    while shares.sum() < total:
        shares[np.argmax(np.where(shares < sizes, exact - shares, -np.inf))] += 1
    while shares.sum() > total:
        shares[np.argmax(np.where(shares > least, shares - exact, -np.inf))] -= 1
    return shares
