"""The figures of an exported file, read from the file itself, and the least they must be."""

import gzip
from typing import Any

import numpy as np

from kdtasks.errors import ExportError
from kdtasks.export.inspection import inspect_kernels, signature_types
from kdtasks.models.multi_exit import MultiExitModel

# Largest root-mean-square error of the logits, as a share of that of the logits themselves.
# Rounding to 8 bits stays well below; a conversion that went wrong does not.
_TOLERANCE = {
    "float32": 1e-4,
    "float16": 1e-2,
    "dynamic_int8": 0.5,
    "int8": 0.5,
    "int16x8": 0.5,
}


def file_figures(content: bytes, model: MultiExitModel) -> dict[str, Any]:
    """Measure a file: `bytes`, `gzip_bytes`, `tensors`, `sparsity`, `distinct_weights`.

    Arguments:
        model: the network that the file was converted from.

    Raises:
        ExportError: kernels of the network hold more zeros than those of the file.
    """
    kernels = inspect_kernels(content)
    zeros = _count_zeros(model)
    if kernels.zeros < zeros:
        raise ExportError(
            f"the kernels of the file have {kernels.zeros:,} zeros, those of the network "
            f"{zeros:,}; the converter changed pruned weights, use another number format"
        )
    return {
        "bytes": len(content),
        "gzip_bytes": len(gzip.compress(content, compresslevel=9, mtime=0)),
        "tensors": signature_types(content),
        "sparsity": round(kernels.sparsity, 6),
        "distinct_weights": kernels.distinct_values,
    }


def parity(found: np.ndarray, expected: np.ndarray, *, number_format: str) -> dict[str, Any]:
    """Compare the logits of a file with those of its network.

    Arguments:
        found: of the file, [N, K, …, classes].
        expected: of the network, of the same shape.

    Returns:
        `rms_error`: error as a share of the logits, root mean squares; `agreement` [K]: share of
        answers that are the same.

    Raises:
        ExportError: the error is larger than the rounding of the number format explains.
    """
    size = float(np.sqrt(np.mean(np.square(expected, dtype=np.float64))))
    error = float(np.sqrt(np.mean(np.square(found.astype(np.float64) - expected))))
    relative = error / size if size else error
    allowed = _TOLERANCE[number_format]
    if not relative <= allowed:
        raise ExportError(
            f"the logits of the file differ from those of its network by {relative:.2g} of their "
            f"size, {number_format} explains {allowed:g}; use another number format"
        )
    same = found.argmax(axis=-1) == expected.argmax(axis=-1)
    return {
        "rms_error": float(f"{relative:.4g}"),
        "agreement": [round(float(same[:, index].mean()), 6) for index in range(same.shape[1])],
    }


def _count_zeros(model: MultiExitModel) -> int:
    kernels = (
        weight
        for layer in model.network.layers
        if type(layer).__name__ != "BatchNormalization"
        for weight in layer.get_weights()
        if weight.ndim > 1
    )
    return sum(int(np.count_nonzero(kernel == 0)) for kernel in kernels)
