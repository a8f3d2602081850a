"""Notice that some answers of a model have become less sure, though most are as they were."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# Of both samples together: fewer answers than this say nothing, and more than half are no tail.
TAIL = (0.005, 0.5)


class LowConfidences(NamedTuple):
    """The bound of confidence below which the answers stand out most.

    Attributes:
        bound: 0.1, 0.2 … 0.9.
        below: answers observed that are less sure than that.
        expected: how many of them the reference lets expect.
        p_value: that so many, or more, lie below by chance; corrected for all bounds looked at.
    """

    bound: float
    below: int
    expected: float
    p_value: float


def find_low_confidences(
    reference: npt.ArrayLike, observed: npt.ArrayLike
) -> LowConfidences | None:
    """Test at every bound whether more answers lie below it than chance gives.

    Fisher's exact test, one-sided, of the two counts below each bound between ranges that has 0.5
    to 50 % of both samples together below it; Bonferroni's correction for these bounds. Which they
    are depends on the pooled counts alone, on which the test is conditional: without drift a
    p-value of α or less comes up in at most α of all cases, however few images the reference has.

    Args:
        reference, observed: counts [ranges] of confidence in equal ranges of 0 … 1, neither empty.

    Returns: None where no bound lies in the tail.

    Source: Fisher 1935, J. R. Stat. Soc. 98, 39-82; Dunn 1961, J. Am. Stat. Assoc. 56, 52-64.
    """
    from scipy.stats import hypergeom  # heavy, and only needed here

    first, second = np.cumsum(reference), np.cumsum(observed)
    both, total = first + second, int(first[-1] + second[-1])
    tested = np.flatnonzero((both >= TAIL[0] * total) & (both <= TAIL[1] * total))
    if not len(tested):
        return None
    p_values = hypergeom.sf(second[tested] - 1, total, both[tested], second[-1])
    chosen = tested[least := int(p_values.argmin())]
    return LowConfidences(
        bound=(int(chosen) + 1) / len(first),
        below=int(second[chosen]),
        expected=float(first[chosen] / first[-1] * second[-1]),
        p_value=min(1.0, len(tested) * float(p_values[least])),
    )
