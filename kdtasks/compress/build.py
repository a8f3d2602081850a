"""Build one variant: passes in their order, then conversion, then a look at the file."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.compress.exported import Compressed, kernel_figures, trial
from kdtasks.compress.fine_tuning import FineTuning
from kdtasks.compress.passes.cluster import cluster_weights
from kdtasks.compress.passes.filters import prune_filters
from kdtasks.compress.passes.magnitude import check_zeros, prune_magnitudes
from kdtasks.compress.passes.qat import train_quantised
from kdtasks.compress.passes.space_to_depth import work_on_blocks
from kdtasks.compress.pruning.removal import recalibrate
from kdtasks.compress.tflite.average_pooling import convolve_averages
from kdtasks.compress.tflite.convert import convert
from kdtasks.compress.tflite.graph import signature_types
from kdtasks.compress.tflite.metadata import sizes, with_longest_manifest
from kdtasks.compress.variants import CompressParams, check_variant
from kdtasks.core.errors import BundleError, CompressionError, ExportError, TrainingError
from kdtasks.core.files import atomic_file, atomic_folder, write_json, write_text
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
) -> Compressed:
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

    def finish(built: MultiExitModel) -> Compressed:
        converted = content = convert_variant(built)
        if on_blocks:
            content = work_on_blocks(converted, max_channels=params.space_to_depth.max_channels)
        if parts.number_format == "int8":
            content = convolve_averages(content)
        return Compressed(content, converted, with_longest_manifest(content, class_names), built)

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
        write_json(metrics, {"refused": str(refusal)})
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
