"""The figures of an exported file, read from the file itself, and the least they must be."""

import math
from typing import Any, NamedTuple

import numpy as np

from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.tflite.graph import Kernels, inspect_kernels, signature_types
from kdtasks.compress.tflite.metadata import sizes
from kdtasks.compress.variants import check_variant
from kdtasks.core.errors import ExportError
from kdtasks.core.records.compress import Compressed, Parity
from kdtasks.core.records.training import ExitScores
from kdtasks.edge.segments import Segments
from kdtasks.learn.networks.inference import Predictor
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.tasks.confusion import ExitConfusions

# Logits that are in memory at once: those of masks would not fit all together.
_PART = 2**24


class Built(NamedTuple):
    """A variant that was built.

    Attributes:
        content: of its `.tflite`.
        converted: the file before its operators were rewritten for speed: the network's kernels.
        shipped: the file with as much inside as it will have at most: thresholds, class names.
        model: the network that it was made from.
    """

    content: bytes
    converted: bytes
    shipped: bytes
    model: MultiExitModel


def describe(
    variant: str,
    built: Built,
    *,
    base_seed: int,
    validation: tuple[Any, Any],
    ignore_label: int | None = None,
) -> Compressed:
    """Look at a file, and try it on labelled images beside its network.

    Args:
        variant: how it was compressed.
        built: the file and its network.
        base_seed: of the distilled student that it is made from.
        validation: uint8 images [N, height, width, channels], in memory or mapped, and labels,
            integers [N] or [N, height, width].
        ignore_label: label that counts nowhere.

    Raises:
        ExportError: the file does not compute what the network does.
    """
    model = built.model
    kernels = checked_kernels(built.converted, model)
    scores, parity = validate_export(
        built.content,
        model,
        *validation,
        number_format=check_variant(variant).number_format,
        ignore_label=ignore_label,
    )
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
        validation=scores,
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
    content: bytes,
    model: MultiExitModel,
    images: Any,
    labels: Any,
    *,
    number_format: str,
    ignore_label: int | None = None,
) -> tuple[ExitScores, Parity]:
    """Try a file on labelled images, beside the network that it was converted from.

    Arguments are those of `describe`.

    Raises:
        ExportError: the file does not compute what the network does.
    """
    segments, predictor = Segments(content), Predictor(model)
    tally, parity = ExitConfusions(segments.num_classes, ignore_label=ignore_label), ParityTally()
    rows = max(1, _PART // (segments.count * math.prod(segments.logits_shape)))
    for start in range(0, len(images), rows):
        part = images[start : start + rows]
        found = segments.logits_of(part)
        parity.add(found, np.stack(predictor.logits(part), axis=1))
        answers = np.moveaxis(found.argmax(axis=-1), 1, 0)
        tally.add(answers, labels[start : start + rows])
    return tally.scores(), parity.result(number_format=number_format)


class ParityTally:
    """Compares the logits of a file with those of its network, part by part."""

    def __init__(self) -> None:
        """Begin with nothing compared."""
        self._size, self._error, self._count = 0.0, 0.0, 0
        self._same: Any = 0
        self._answers = 0

    def add(self, found: np.ndarray, expected: np.ndarray) -> None:
        """Compare logits of the file with those of the network, both [N, K, …, classes]."""
        difference = found.astype(np.float64) - expected
        self._size += float(np.sum(np.square(expected, dtype=np.float64)))
        self._error += float(np.sum(np.square(difference)))
        self._count += expected.size
        same = np.moveaxis(found.argmax(axis=-1) == expected.argmax(axis=-1), 1, 0)
        self._same = self._same + same.reshape(len(same), -1).sum(axis=1)
        self._answers += same[0].size

    def result(self, *, number_format: str) -> Parity:
        """Sum up.

        Raises:
            ExportError: the error is larger than the rounding of the number format explains.
        """
        size, error = (float(np.sqrt(total / self._count)) for total in (self._size, self._error))
        relative = error / size if size else error
        allowed = number_formats[number_format].tolerance
        if not relative <= allowed:
            raise ExportError(
                f"the logits of the file differ from those of its network by {relative:.2g} of "
                f"their size, {number_format} explains {allowed:g}; use another number format"
            )
        return Parity(
            rms_error=float(f"{relative:.4g}"),
            agreement=tuple(round(float(fraction), 6) for fraction in self._same / self._answers),
        )
