"""Structured pruning: remove whole filters and build the network anew, smaller and faster."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from kdtasks.compress.passes import PassContext, TrainingPass, passes
from kdtasks.compress.pruning.channels import Channels, choose_channels
from kdtasks.compress.pruning.importance import importance
from kdtasks.compress.pruning.removal import remove_channels
from kdtasks.core.errors import CompressionError, ExportError, did_you_mean
from kdtasks.core.settings import Count, OpenFraction, Positive
from kdtasks.edge.latency import worst_latency_ms
from kdtasks.learn.networks.multi_exit import MultiExitModel

GOALS = ("macs", "worst_latency_ms", "size_kb")
Measure = Callable[[MultiExitModel], float]

# Halvings of the interval of ratios; the last is narrower than a filter of most layers.
_HALVINGS = 7

# Nothing beyond this is tried: one filter a layer is left of layers of fewer than 100.
_MOST = 0.99


@passes.register
class Filters(TrainingPass):
    """Structured pruning: whole filters are removed and the network is rebuilt smaller."""

    name: ClassVar[str] = "filters"
    order: ClassVar[int] = 10
    rebuilds: ClassVar[bool] = True

    rank: Literal["l1", "batch_norm_scale", "taylor"] = Field(
        default="l1",
        description="which filters go first: `l1`: the smallest weights; `batch_norm_scale`: "
        "scaled down most by batch normalisation (layers without it stay whole); `taylor`: least "
        "effect on the labels' loss",
    )
    scope: Literal["layer", "global"] = Field(
        default="layer",
        description="`layer`: every layer loses `ratio` of its filters; `global`: the network "
        "does, and every layer keeps at least one",
    )
    ratio: OpenFraction = Field(default=0.5, description="fraction of the filters removed")
    ratios: dict[str, Annotated[float, Field(ge=0.0, lt=1.0)]] = Field(
        default={},
        description="layers with a fraction of their own, by name; 0 keeps a layer whole",
    )
    target: dict[str, Positive] | None = Field(
        default=None,
        description="search for the ratio that meets one or more of: `macs`, as a fraction of the "
        "student's; `size_kb` of the shipped file; `worst_latency_ms`, to the last exit on this "
        "machine",
    )
    epochs: Count = Field(default=8, description="epochs of fine-tuning after the removal")

    @model_validator(mode="after")
    def _targets_are_known(self) -> "Filters":
        unknown = [name for name in self.target or {} if name not in GOALS]
        if self.target is not None and (unknown or not self.target):
            named = ", ".join(unknown) or "nothing"
            raise ValueError(
                f"target names {named}; give one or more of {', '.join(GOALS)}"
                f"{did_you_mean(named, GOALS)}"
            )
        if self.target and self.target.get("macs", 0.0) >= 1.0:
            raise ValueError(
                f"target.macs is {self.target['macs']}, a fraction of the student's; give less "
                "than 1"
            )
        return self

    def apply(self, model: MultiExitModel, context: PassContext) -> MultiExitModel:
        """Return a smaller model, fine-tuned, without the filters that matter least.

        Raises:
            CompressionError: a layer cannot be followed or ranked, or a target cannot be reached.
            ExportError: what is left cannot be converted.
        """
        channels = Channels(model.network)
        scores = importance(
            model,
            channels,
            rank=self.rank,
            examples=context.fine_tuning.examples,
            ignore_label=context.fine_tuning.ignore_label,
        )

        def shrink(ratio: float) -> MultiExitModel:
            removed = choose_channels(
                channels, scores, ratio, ratios=self.ratios, together=self.scope == "global"
            )
            return remove_channels(model, channels, removed)

        ratio = self.ratio
        if self.target:
            ratio = smallest_ratio(shrink, goal_measures(model, context.convert), self.target)
        smaller = shrink(ratio)
        print(
            f"filters: {model.count_parameters():,} to {smaller.count_parameters():,} parameters, "
            f"{model.macs()[-1]:,} to {smaller.macs()[-1]:,} multiply-accumulates"
        )
        context.convert(smaller)  # what cannot be converted is refused before it trains
        context.fine_tuning.run(smaller, name=self.name, epochs=self.epochs)
        return smaller


def goal_measures(
    model: MultiExitModel, convert: Callable[[MultiExitModel], bytes]
) -> dict[str, Measure]:
    """Name the ways to measure a smaller model.

    Args:
        model: what it is compared with.
        convert: makes the file of a model, or refuses it with an ExportError.
    """
    whole = model.macs()[-1]
    return {
        "macs": lambda smaller: smaller.macs()[-1] / whole,
        "size_kb": lambda smaller: len(convert(smaller)) / 1000,
        "worst_latency_ms": lambda smaller: worst_latency_ms(convert(smaller)),
    }


def smallest_ratio(
    shrink: Callable[[float], MultiExitModel],
    measures: Mapping[str, Measure],
    goals: Mapping[str, float],
) -> float:
    """Return the smallest ratio, found by bisection, whose model is within every goal.

    Args:
        shrink: from a ratio to the model without so many filters.
        measures: to measure, by name; each falls as the ratio grows.
        goals: what the measures of these names must not exceed.

    Raises:
        CompressionError: not even the smallest model is within a goal.
        ExportError: not even the smallest model can be converted.
    """
    measured: dict[int, dict[str, float]] = {}
    refusals: list[ExportError] = []

    def missed_goals(ratio: float) -> dict[str, float]:
        """What is measured of the goals that a ratio does not meet, by name."""
        model = shrink(ratio)
        key = model.count_parameters()
        if key not in measured:
            try:
                measured[key] = {name: measures[name](model) for name in goals}
            except ExportError as refusal:
                measured[key] = dict.fromkeys(goals, float("inf"))
                refusals.append(refusal)
            shown = (f"{name} {measured[key][name]:.4g}, goal {goals[name]:g}" for name in goals)
            print(f"filters: ratio {ratio:.3f} gives {'; '.join(shown)}")
        return {name: value for name, value in measured[key].items() if not value <= goals[name]}

    low, high = 0.0, _MOST
    for name, least in missed_goals(high).items():
        if refusals:
            raise refusals[0]
        raise CompressionError(
            f"compress.passes.filters.target {name} {goals[name]:g} cannot be reached: with as few "
            f"filters as possible it is {least:.4g}; raise the target, or take a smaller student"
        )
    if not missed_goals(low):
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if missed_goals(middle) else (low, middle)
    return high
