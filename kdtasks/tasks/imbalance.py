"""Whether one class has so many more images than another that accuracy says little."""

from collections.abc import Mapping
from typing import Any

from kdtasks.core.text import percent, plain, quantity

# So many times as many images as the rarest class has are no longer alike.
_UNEVEN = 4

METRIC_ADVICE = "evaluate.metric: balanced_accuracy"
BALANCE_ADVICE = "train.class_balance: weights"


def is_uneven(counts: Mapping[Any, int]) -> bool:
    """Whether the commonest class has more than four times the images of the rarest.

    Args:
        counts: images by class; classes without any are left out.
    """
    present = [count for count in counts.values() if count]
    return bool(present) and max(present) > _UNEVEN * min(present)


def uneven_sentence(counts: Mapping[str, int]) -> str | None:
    """Say what always answering the commonest class would reach; None where classes are alike.

    Args:
        counts: images by class.
    """
    if not is_uneven(counts):
        return None
    present = {name: count for name, count in counts.items() if count}
    commonest, rarest = (choose(present, key=lambda name: present[name]) for choose in (max, min))
    total = sum(present.values())
    return (
        f"{present[commonest]:,} of {quantity(total, 'image')} are of the class {commonest}, "
        f"{present[rarest]:,} of {rarest}: always answering {commonest} would be right in "
        f"{plain(percent(present[commonest] / total))}, so accuracy says little here"
    )
