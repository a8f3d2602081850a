"""Build one variant: passes in their order, then conversion, then a look at the file."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.atomic import atomic_file, atomic_folder, read_json, write_json, write_text
from kdtasks.compression.filters import prune_filters
from kdtasks.compression.fine_tuning import FineTuning
from kdtasks.compression.magnitude import prune_magnitudes
from kdtasks.compression.variants import check_variant
from kdtasks.edge.segments import Segments
from kdtasks.errors import (
    BundleError,
    CompressionError,
    ExportError,
    ModelError,
    TrainingError,
)
from kdtasks.export.litert import convert
from kdtasks.models.multi_exit import MultiExitModel
from kdtasks.params.compression import CompressParams
from kdtasks.training.accuracy import accuracy

_PASSES: dict[str, Callable[[MultiExitModel, Any, FineTuning], MultiExitModel]] = {
    "magnitude": prune_magnitudes,
    "filters": prune_filters,
}


def best_seed(metrics_folder: Path, seeds: Sequence[int]) -> int:
    """Return the seed whose distilled student is best on the validation split.

    The last exit decides; of equals the first seed.

    Raises:
        ModelError: the metrics of a seed are missing.
    """
    accuracies = []
    for seed in seeds:
        path = metrics_folder / f"{seed}.json"
        if not path.is_file():
            raise ModelError(f"{path} is not there; run `dvc repro distill@{seed}`")
        accuracies.append(read_json(path)["validation"]["accuracy"][-1])
    return seeds[int(np.argmax(accuracies))]


def compress(
    model: MultiExitModel,
    variant: str,
    params: CompressParams,
    *,
    fine_tuning: FineTuning,
    representative: np.ndarray,
) -> tuple[bytes, MultiExitModel]:
    """Apply the passes of a variant and convert.

    Arguments:
        model: the distilled student; passes may use it up.
        representative: uint8 pictures of the calibration split, for int8 ranges.

    Returns:
        the content of the `.tflite`, and the Keras model it was made from.

    Raises:
        CompressionError, ExportError: a pass or the number format cannot serve this model.
    """
    passes, number_format = check_variant(variant)
    for name in passes:
        model = _PASSES[name](model, getattr(params, name), fine_tuning)
    content = convert(model, number_format=number_format, representative=representative)
    return content, model


def write_variant(
    variant: str,
    build: Callable[[], tuple[bytes, MultiExitModel]],
    *,
    base_seed: int,
    validation: tuple[Any, Any],
    folder: Path,
    metrics: Path,
    ignore_label: int | None = None,
) -> None:
    """Build a variant and write its file and metrics; a refusal is written with its reason.

    Arguments:
        build: makes the file's content and the model behind it.
        validation: images and labels that the exported file is tried on.
        ignore_label: label that counts nowhere.
    """
    try:
        content, model = build()
        segments = Segments(content)
    except (BundleError, CompressionError, ExportError, TrainingError) as refusal:
        with atomic_folder(folder) as partial:
            write_text(partial / "refused.txt", f"{refusal}\n")
        write_json(metrics, {"variant": variant, "refused": str(refusal)})
        print(f"{variant}: refused, the other variants go on: {refusal}")
        return
    with atomic_folder(folder) as partial, atomic_file(partial / "model.tflite") as file:
        file.write_bytes(content)
    images, labels = validation
    predicted = segments.logits_of(images).argmax(axis=-1)
    weights = model.network.get_weights()
    figures: dict[str, Any] = {
        "variant": variant,
        "base_seed": base_seed,
        "bytes": len(content),
        "gzip_bytes": len(gzip.compress(content, compresslevel=9, mtime=0)),
        "parameters": model.count_parameters(),
        "nonzero_parameters": int(sum(np.count_nonzero(weight) for weight in weights)),
        "macs": model.macs(),
        "validation": {
            "accuracy": [
                accuracy(predicted[:, exit_index], labels, ignore_label)
                for exit_index in range(predicted.shape[1])
            ]
        },
    }
    write_json(metrics, figures)
    print(
        f"{variant}: {figures['bytes']:,} bytes, {figures['gzip_bytes']:,} gzipped, validation "
        f"accuracy by exit {figures['validation']['accuracy']}"
    )
