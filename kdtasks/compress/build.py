"""Build one variant: passes in their order, then conversion."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from kdtasks.compress.exported import Built
from kdtasks.compress.fine_tuning import FineTuning
from kdtasks.compress.passes.cluster import cluster_weights
from kdtasks.compress.passes.filters import prune_filters
from kdtasks.compress.passes.magnitude import check_zeros, prune_magnitudes
from kdtasks.compress.passes.qat import train_quantised
from kdtasks.compress.passes.space_to_depth import work_on_blocks
from kdtasks.compress.pruning.removal import recalibrate
from kdtasks.compress.tflite.average_pooling import convolve_averages
from kdtasks.compress.tflite.convert import convert
from kdtasks.compress.tflite.metadata import with_longest_manifest
from kdtasks.compress.variants import CompressParams, check_variant
from kdtasks.learn.networks.multi_exit import MultiExitModel

_PASSES: dict[str, Callable[..., MultiExitModel]] = {
    "filters": prune_filters,
    "magnitude": prune_magnitudes,
    "cluster": cluster_weights,
    "qat": train_quantised,
}


def compress(
    model: MultiExitModel,
    variant: str,
    params: CompressParams,
    *,
    fine_tuning: FineTuning,
    representative: np.ndarray,
    class_names: Sequence[str],
) -> Built:
    """Apply the passes of a variant and convert.

    Arguments:
        model: the distilled student; passes may use it up.
        representative: uint8 pictures of the calibration split, for int8 ranges.
        class_names: in the order of the logits; they take room in the file that is shipped.

    Raises:
        CompressionError, ExportError: a pass or the number format cannot serve this model.
    """
    parts = check_variant(variant)
    convert_variant = functools.partial(
        convert,
        number_format=parts.number_format,
        representative=representative,
        raw_pixels=params.input == "uint8",
    )
    on_blocks = "space_to_depth" in parts.passes

    def finish(built: MultiExitModel) -> Built:
        converted = content = convert_variant(built)
        if on_blocks:
            content = work_on_blocks(converted, max_channels=params.space_to_depth.max_channels)
        if parts.number_format == "int8":
            content = convolve_averages(content)
        return Built(content, converted, with_longest_manifest(content, class_names), built)

    if on_blocks and parts.trainings and "filters" not in parts.trainings:
        finish(model)  # what cannot be rewritten is refused before it trains

    for name in parts.trainings:
        settings = {"convert": lambda smaller: finish(smaller).shipped} if name == "filters" else {}
        model = _PASSES[name](model, getattr(params, name), fine_tuning, **settings)
        # qat's statistics are those of the rounded network, which is what the file is.
        if name != "qat":
            recalibrate(model, fine_tuning.examples)
    if "magnitude" in parts.trainings:
        check_zeros(model, params.magnitude)
    return finish(model)
