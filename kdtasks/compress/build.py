"""Build one variant: passes in their order, then conversion."""

from collections.abc import Sequence

import numpy as np

from kdtasks.compress.convert import convert
from kdtasks.compress.exported import BuiltVariant
from kdtasks.compress.fine_tuning import FineTuning
from kdtasks.compress.layer_errors import LayerTrials
from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.passes import PassContext
from kdtasks.compress.pruning.removal import reestimate_batch_norm
from kdtasks.compress.tflite.metadata import with_longest_manifest
from kdtasks.compress.variants import CompressParams, check_variant
from kdtasks.learn.networks.multi_exit import MultiExitModel


def compress(
    model: MultiExitModel,
    variant: str,
    params: CompressParams,
    *,
    fine_tuning: FineTuning,
    representative: np.ndarray,
    class_names: Sequence[str],
) -> BuiltVariant:
    """Apply the passes of a variant and convert.

    Args:
        model: the distilled student; passes may use it up.
        representative: uint8 images of the calibration split, for the ranges of whole numbers.
        class_names: in the order of the logits; they take room in the file that is shipped.

    Raises:
        CompressionError, ExportError: a pass or the number format cannot serve this model.
    """
    parts = check_variant(variant)
    trainings, rewritings = params.passes.of(parts)

    def finish(
        built: MultiExitModel, kept: tuple[str, ...] = params.int8.keep_float
    ) -> BuiltVariant:
        settings = params.int8.model_copy(update={"keep_float": kept})
        converted = content = convert(
            built,
            number_format=parts.number_format,
            representative=representative,
            raw_pixels=params.input == "uint8",
            settings=settings if parts.number_format == settings.name else None,
        )
        for rewriting in rewritings:
            content = rewriting.rewrite(content)
        content = number_formats[parts.number_format]().optimize(content)
        shipped = with_longest_manifest(content, class_names)
        return BuiltVariant(content, converted, shipped, built, settings.keep_float)

    if rewritings and trainings and not any(training.rebuilds for training in trainings):
        finish(model)  # what cannot be rewritten is refused before it trains

    context = PassContext(fine_tuning, convert=lambda smaller: finish(smaller).shipped)
    for training in trainings:
        model = training.apply(model, context)
        if training.reestimates_batch_norm:
            reestimate_batch_norm(model, fine_tuning.examples)
    for training in trainings:
        training.check(model)
    if parts.number_format == params.int8.name and params.int8.auto:
        trials = LayerTrials(model, params.int8, representative)
        return finish(model, trials.chosen(params.int8))
    return finish(model)
