"""Which channels go: those with the lowest scores, layer by layer or all together."""

from collections.abc import Mapping

from kdtasks.compression.channels import Channels
from kdtasks.errors import CompressionError, did_you_mean


def choose_channels(
    channels: Channels,
    scores: Mapping[int, float],
    ratio: float,
    *,
    ratios: Mapping[str, float] | None = None,
    together: bool = False,
) -> set[int]:
    """Choose the channels to remove: those with the lowest scores.

    Channels of the same makers compete with each other; at least one of them stays.

    Arguments:
        scores: of the channels that may go; others stay.
        ratio: share to remove.
        ratios: shares of single layers, and of all that are tied to them.
        together: whether `ratio` is of all channels of the network, not of every layer's.

    Returns:
        channel numbers; none of them fixed.

    Raises:
        CompressionError: `ratios` names a layer that has no filters to remove.
    """
    ratios = ratios or {}
    groups = channels.groups()
    known = {name for makers in groups for name in makers}
    for name in ratios:
        if name not in known:
            raise CompressionError(
                f"compress.filters.ratios names {name!r}, which has no filters to remove; "
                f"layers that have: {', '.join(sorted(known))}{did_you_mean(name, sorted(known))}"
            )
    removed: set[int] = set()
    rivals: list[list[int]] = []
    for makers, numbers in groups.items():
        ranked = sorted(
            (number for number in numbers if number in scores),
            key=lambda number: (scores[number], number),
        )
        # One stays; where not all may go, one of those does.
        leavers = ranked[: len(numbers) - 1]
        own = next((ratios[name] for name in makers if name in ratios), None)
        if together and own is None:
            rivals.append(leavers)
        else:
            removed.update(leavers[: int((ratio if own is None else own) * len(numbers))])
    if rivals:
        everyone = sorted(
            (number for leavers in rivals for number in leavers),
            key=lambda number: (scores[number], number),
        )
        total = sum(len(leavers) + 1 for leavers in rivals)
        removed.update(everyone[: int(ratio * total)])
    return removed
