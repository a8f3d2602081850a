"""Search the share of filters to remove that just meets some goals, by measuring."""

from collections.abc import Callable, Mapping

from kdtasks.compression.timing import latency_ms
from kdtasks.errors import CompressionError, ExportError
from kdtasks.models.multi_exit import MultiExitModel

Measure = Callable[[MultiExitModel], float]

# Halvings of the interval of ratios; the last is narrower than a filter of most layers.
_HALVINGS = 7
# Nothing beyond this is tried: one filter a layer is left of layers of fewer than 100.
_MOST = 0.99


def measures(
    model: MultiExitModel, convert: Callable[[MultiExitModel], bytes]
) -> dict[str, Measure]:
    """Name the ways to measure a smaller model.

    Arguments:
        model: what it is compared with.
        convert: makes the file of a model, or refuses it with an ExportError.
    """
    whole = model.macs()[-1]
    return {
        "macs": lambda smaller: smaller.macs()[-1] / whole,
        "size_kb": lambda smaller: len(convert(smaller)) / 1000,
        "latency_ms": lambda smaller: latency_ms(convert(smaller)),
    }


def least_ratio(
    shrunk: Callable[[float], MultiExitModel],
    ways: Mapping[str, Measure],
    goals: Mapping[str, float],
) -> float:
    """Return the smallest ratio, found by bisection, whose model is within every goal.

    Arguments:
        shrunk: from a ratio to the model without so many filters.
        ways: to measure, by name; each falls as the ratio grows.
        goals: what the measures of these names must not exceed.

    Raises:
        CompressionError: not even the smallest model is within a goal.
        ExportError: not even the smallest model can be converted.
    """
    seen: dict[int, dict[str, float]] = {}
    refusals: list[ExportError] = []

    def found(ratio: float) -> dict[str, float]:
        model = shrunk(ratio)
        key = model.count_parameters()
        if key not in seen:
            try:
                seen[key] = {name: ways[name](model) for name in goals}
            except ExportError as refusal:
                seen[key] = dict.fromkeys(goals, float("inf"))
                refusals.append(refusal)
            shown = (f"{name} {seen[key][name]:.4g}, goal {goals[name]:g}" for name in goals)
            print(f"filters: ratio {ratio:.3f} gives {'; '.join(shown)}")
        return seen[key]

    def within(ratio: float) -> bool:
        measured = found(ratio)
        return all(measured[name] <= goal for name, goal in goals.items())

    low, high = 0.0, _MOST
    if not within(high):
        least = found(high)
        if refusals:
            raise refusals[0]
        name = next(name for name, goal in goals.items() if least[name] > goal)
        raise CompressionError(
            f"compress.filters.target {name} {goals[name]:g} cannot be reached: with as few "
            f"filters as possible it is {least[name]:.4g}; raise the target, or take a smaller "
            "student"
        )
    if within(low):
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if within(middle) else (middle, high)
    return high
