"""What numbers a file computes in: the last part of a variant's name."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from kdtasks.core.registry import Registry
from kdtasks.core.settings import Section

# Gives the name of a signature and its float32 inputs by name, for each representative image.
Feed = Callable[[], Iterator[tuple[str, dict[str, np.ndarray]]]]


class NumberFormat(Section):
    """How the weights and activations of a file are stored and computed.

    Attributes:
        dtype: of the file's inputs and outputs, as LiteRT names it.
        raw_dtype: the same where images come in as raw pixels; None where LiteRT has no such
            conversion.
        tolerance: largest root mean square error of an exit's logits, as a fraction of their
            standard deviation. Rounding stays well below; a conversion that went wrong does not.
        needs_images: whether the ranges of its numbers are set by representative images.
        same_size_as: number format whose files have this one's size, where there is one.
    """

    name: ClassVar[str]
    dtype: ClassVar[str] = "float32"
    raw_dtype: ClassVar[str | None] = "float32"
    tolerance: ClassVar[float]
    needs_images: ClassVar[bool] = False
    same_size_as: ClassVar[str | None] = None

    def configure(self, converter: Any, images: Feed | None) -> None:
        """Set up a `tf.lite.TFLiteConverter`, which asks for float32 by itself.

        The types of inputs and outputs are set elsewhere, from `dtype`.

        Args:
            images: representative images, where there are any; always where `needs_images`.
        """

    def optimize(self, content: bytes) -> bytes:
        """Rewrite operators of a converted file for speed."""
        return content


number_formats = Registry("number format", __name__, NumberFormat)
