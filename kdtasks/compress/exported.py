"""The figures of an exported file, read from the file itself, and beside its network."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.tflite.graph import Kernels, inspect_kernels, signature_types
from kdtasks.compress.tflite.metadata import sizes
from kdtasks.compress.variants import check_variant
from kdtasks.core.errors import ExportError
from kdtasks.core.records import LabelsFrom
from kdtasks.core.records.compress import Compressed, Parity
from kdtasks.core.records.training import ExitScores
from kdtasks.edge.segments import Segments
from kdtasks.evaluate.parity import ParityAccumulator
from kdtasks.learn.networks.inference import ForwardPass
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.tasks.confusion import ExitConfusions

# Logits that are in memory at once: those of masks would not fit all together.
_PART = 2**24

# With none of a hundred answers changed, Wilson's interval ends at 3.7 %.
FEWEST_IMAGES = 100


class BuiltVariant(NamedTuple):
    """A variant that was built.

    Attributes:
        content: of its `.tflite`.
        converted: the file before its operators were rewritten for speed: the network's kernels.
        shipped: the file with as much inside as it will have at most: thresholds, class names.
        model: the network that it was made from.
        kept: layers of an int8 file that compute in float.
    """

    content: bytes
    converted: bytes
    shipped: bytes
    model: MultiExitModel
    kept: tuple[str, ...] = ()


def describe_variant(
    variant: str,
    built: BuiltVariant,
    *,
    base_seed: int,
    validation: tuple[Any, Any],
    parity: Parity,
    ignore_label: int | None = None,
    labels_from: LabelsFrom = None,
) -> Compressed:
    """Look at a file, and try it on labelled images.

    Args:
        variant: how it was compressed.
        built: the file and its network.
        base_seed: of the distilled student that it is made from.
        validation: uint8 images [N, height, width, channels], in memory or mapped, and labels,
            integers [N] or [N, height, width].
        parity: as of `measure_parity`.
        ignore_label: label that counts nowhere.
        labels_from: as of `ExitScores`.

    Raises:
        ExportError: the file has not the zeros of its network.
    """
    model = built.model
    kernels = checked_kernels(built.converted, model)
    weights = model.network.get_weights()
    return Compressed(
        variant=variant,
        base_seed=base_seed,
        parameters=model.count_parameters(),
        nonzero_parameters=int(sum(np.count_nonzero(weight) for weight in weights)),
        macs=tuple(model.macs()),
        **sizes(built.shipped).present(),
        tensors=signature_types(built.content),
        sparsity=round(kernels.sparsity, 6),
        distinct_weights=kernels.distinct_values,
        parity=parity,
        validation=validate_export(
            built.content, *validation, ignore_label=ignore_label
        ).model_copy(update={"labels_from": labels_from}),
    )


def checked_kernels(content: bytes, model: MultiExitModel) -> Kernels:
    """Inspect the weights of a converted file.

    Args:
        content: the file before its kernels are rewritten for speed, which adds zeros.
        model: the network that the file was converted from.

    Raises:
        ExportError: kernels of the network hold more zeros than those of the file.
    """
    kernels = inspect_kernels(content)
    zeros = sum(
        int(np.count_nonzero(weight == 0))
        for layer in model.network.layers
        if type(layer).__name__ != "BatchNormalization"
        for weight in layer.get_weights()
        if weight.ndim > 1
    )
    if kernels.zeros < zeros:
        raise ExportError(
            f"the kernels of the file have {kernels.zeros:,} zeros, those of the network "
            f"{zeros:,}; the converter changed pruned weights, use another number format"
        )
    return kernels


def validate_export(
    content: bytes, images: Any, labels: Any, *, ignore_label: int | None = None
) -> ExitScores:
    """Try a file on labelled images; arguments are those of `describe_variant`."""
    segments = Segments(content)
    confusions = ExitConfusions(segments.num_classes, ignore_label=ignore_label)
    for rows in _parts(segments, len(images)):
        answers = segments.logits_of(images[rows]).argmax(axis=-1)
        confusions.add(np.moveaxis(answers, 1, 0), labels[rows])
    return confusions.scores()


def measure_parity(
    variant: str,
    built: BuiltVariant,
    images: Any,
    groups: Any,
    *,
    seen_rows: int,
) -> Parity:
    """Run a file beside the float network that it was converted from, after all passes.

    The images that set ranges are left out, unless that leaves fewer than `FEWEST_IMAGES`.

    Args:
        variant: how it was compressed.
        built: the file and its network.
        images: uint8 [N, height, width, channels], of the calibration split.
        groups: int [N], the group of each, such as the patches of one image.
        seen_rows: so many images at the start have set ranges.

    Raises:
        ExportError: a logit is not finite.
    """
    first = seen_rows if len(images) - seen_rows >= FEWEST_IMAGES else 0
    images, groups = images[first:], groups[first:]
    number_format = number_formats[check_variant(variant).number_format]
    segments, predictor, parity = (
        Segments(built.content),
        ForwardPass(built.model),
        ParityAccumulator(),
    )
    for rows in _parts(segments, len(images)):
        expected = np.stack(predictor.logits(images[rows]), axis=1)
        parity.add(segments.logits_of(images[rows]), expected)
    return parity.result(
        groups,
        tolerance=number_format.tolerance,
        set_ranges=number_format.needs_images and not first,
    )


def _parts(segments: Segments, images: int) -> Iterator[slice]:
    """Rows whose logits fit into memory together."""
    rows = max(1, _PART // (segments.count * math.prod(segments.logits_shape)))
    return (slice(start, start + rows) for start in range(0, images, rows))
