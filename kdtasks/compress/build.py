"""Build one variant: passes in their order, then conversion, then a look at the file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.compress.convert import convert
from kdtasks.compress.exported import Compressed, kernel_figures, trial
from kdtasks.compress.fine_tuning import FineTuning
from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.passes import PassContext
from kdtasks.compress.pruning.removal import recalibrate
from kdtasks.compress.tflite.graph import signature_types
from kdtasks.compress.tflite.metadata import sizes, with_longest_manifest
from kdtasks.compress.variants import CompressParams, check_variant
from kdtasks.core.errors import BundleError, CompressionError, ExportError, TrainingError
from kdtasks.core.files import atomic_file, atomic_folder, write_json, write_text
from kdtasks.learn.networks.multi_exit import MultiExitModel


def compress(
    model: MultiExitModel,
    variant: str,
    params: CompressParams,
    *,
    fine_tuning: FineTuning,
    representative: np.ndarray,
    class_names: Sequence[str],
) -> Compressed:
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

    def finish(built: MultiExitModel) -> Compressed:
        converted = content = convert(
            built,
            number_format=parts.number_format,
            representative=representative,
            raw_pixels=params.input == "uint8",
        )
        for rewriting in rewritings:
            content = rewriting.rewrite(content)
        content = number_formats[parts.number_format]().optimize(content)
        return Compressed(content, converted, with_longest_manifest(content, class_names), built)

    if rewritings and trainings and not any(training.rebuilds for training in trainings):
        finish(model)  # what cannot be rewritten is refused before it trains

    context = PassContext(fine_tuning, convert=lambda smaller: finish(smaller).shipped)
    for training in trainings:
        model = training.apply(model, context)
        if training.reestimates_batch_norm:
            recalibrate(model, fine_tuning.examples)
    for training in trainings:
        training.check(model)
    return finish(model)


def write_variant(
    variant: str,
    build: Callable[[], Compressed],
    *,
    base_seed: int,
    validation: tuple[Any, Any],
    folder: Path,
    metrics: Path,
    ignore_label: int | None = None,
) -> None:
    """Build a variant and write its file and metrics; a refusal is written with its reason.

    Arguments:
        build: makes the variant.
        validation: images and labels that the exported file is tried on.
        ignore_label: label that counts nowhere.
    """
    try:
        content, converted, shipped, model = build()
        number_format = check_variant(variant).number_format
        figures: dict[str, Any] = {
            **sizes(shipped),
            "tensors": signature_types(content),
            **kernel_figures(converted, model),
            **trial(
                content,
                model,
                *validation,
                number_format=number_format,
                ignore_label=ignore_label,
            ),
        }
    except (BundleError, CompressionError, ExportError, TrainingError) as refusal:
        with atomic_folder(folder) as partial:
            write_text(partial / "refused.txt", f"{refusal}\n")
        write_json(metrics, {"variant": variant, "refused": str(refusal)})
        print(f"{variant}: refused, the other variants go on: {refusal}")
        return
    with atomic_folder(folder) as partial, atomic_file(partial / "model.tflite") as file:
        file.write_bytes(content)
    weights = model.network.get_weights()
    figures |= {
        "variant": variant,
        "base_seed": base_seed,
        "parameters": model.count_parameters(),
        "nonzero_parameters": int(sum(np.count_nonzero(weight) for weight in weights)),
        "macs": model.macs(),
    }
    write_json(metrics, figures)
    told = "; ".join(
        f"{name.replace('_', ' ')} by exit {values}"
        for name, values in figures["validation"].items()
    )
    print(
        f"{variant}: at most {figures['bytes']:,} bytes, {figures['gzip_bytes']:,} gzipped, "
        f"validation {told}"
    )
