"""Structured pruning: remove whole filters and build the network anew, smaller and faster."""

from collections.abc import Callable

from kdtasks.compression.channels import Channels
from kdtasks.compression.choice import choose_channels
from kdtasks.compression.fine_tuning import FineTuning
from kdtasks.compression.importance import importance
from kdtasks.compression.removal import remove_channels
from kdtasks.compression.search import least_ratio, measures
from kdtasks.models.multi_exit import MultiExitModel
from kdtasks.params.compression import FiltersParams


def prune_filters(
    model: MultiExitModel,
    params: FiltersParams,
    fine_tuning: FineTuning,
    *,
    convert: Callable[[MultiExitModel], bytes],
) -> MultiExitModel:
    """Return a smaller model, fine-tuned, without the filters that matter least.

    Arguments:
        convert: makes the variant's file of a model, to measure it where there is a target, and to
            refuse it before it trains.

    Raises:
        CompressionError: a layer cannot be followed or ranked, or a target cannot be reached.
        ExportError: what is left cannot be converted.
    """
    channels = Channels(model.network)
    scores = importance(
        model,
        channels,
        rank=params.rank,
        examples=fine_tuning.examples,
        ignore_label=fine_tuning.ignore_label,
    )

    def shrunk(ratio: float) -> MultiExitModel:
        removed = choose_channels(
            channels, scores, ratio, ratios=params.ratios, together=params.scope == "global"
        )
        return remove_channels(model, channels, removed)

    ratio = params.ratio
    if params.target:
        ratio = least_ratio(shrunk, measures(model, convert), params.target)
    smaller = shrunk(ratio)
    print(
        f"filters: {model.count_parameters():,} to {smaller.count_parameters():,} parameters, "
        f"{model.macs()[-1]:,} to {smaller.macs()[-1]:,} multiply-accumulates"
    )
    convert(smaller)  # what cannot be converted is refused before it trains
    fine_tuning.run(smaller, name="filters", epochs=params.epochs)
    return smaller
