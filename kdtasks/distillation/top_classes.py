"""A teacher's answers by its likeliest classes alone: far smaller where there are many classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# exp(−60) is below what any sum of probabilities notices, and −60 is well within float16.
_LEAST = -60.0


def pack(
    logits: npt.NDArray[Any], top: int
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.unsignedinteger]]:
    """Keep the likeliest classes of every row, and what is left for all the others.

    Arguments:
        logits: float [..., classes].
        top: classes that are kept, 1 … classes − 1.

    Returns:
        float16 [..., top + 1]: logarithms of the probabilities of the kept classes, likeliest
        first, and of the mean probability of each of the others; and the kept classes, unsigned
        integers [..., top].
    """
    classes = logits.shape[-1]
    shifted = logits.astype(np.float32) - logits.max(axis=-1, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    order = np.argsort(-logarithms, axis=-1, kind="stable")
    kept = order[..., :top]
    others = np.take_along_axis(logarithms, order[..., top:], axis=-1)
    largest = others.max(axis=-1, keepdims=True)
    mean = largest + np.log(np.exp(others - largest).mean(axis=-1, keepdims=True))
    values = np.concatenate([np.take_along_axis(logarithms, kept, axis=-1), mean], axis=-1)
    return np.maximum(values, _LEAST).astype(np.float16), kept.astype(index_type(classes))


def index_type(classes: int) -> np.dtype[Any]:
    """Smallest unsigned integers that number so many classes."""
    return np.min_scalar_type(classes - 1)


@dataclass(frozen=True)
class PackedLogits:
    """Packed answers that read as an array of logits, float16 [..., classes].

    What comes out of an index are logarithms of probabilities, in which all but the kept classes
    are alike.

    Attributes:
        values, kept: as of `pack`, in memory or memory-mapped.
        classes: how many there are.
    """

    values: Any
    kept: Any
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the logits."""
        return (*self.kept.shape[:-1], self.classes)

    @property
    def nbytes(self) -> int:
        """Bytes that are really held."""
        return int(self.values.nbytes + self.kept.nbytes)

    def __getitem__(self, index: Any) -> npt.NDArray[np.float16]:
        values, kept = np.asarray(self.values[index]), np.asarray(self.kept[index])
        logits = np.repeat(values[..., -1:], self.classes, axis=-1)
        np.put_along_axis(logits, kept.astype(np.int64), values[..., :-1], axis=-1)
        return logits

    def in_memory(self) -> "PackedLogits":
        """Read memory-mapped arrays into memory."""
        return PackedLogits(
            np.ascontiguousarray(self.values), np.ascontiguousarray(self.kept), self.classes
        )
