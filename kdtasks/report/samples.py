"""Test pictures as small inline images: who left at each exit, and who changed the answer."""

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np

from kdtasks.report.contents import Arrays

LARGEST = 96
"""Longest side of an inline picture, in pixels; larger ones are scaled down."""


class Sample(NamedTuple):
    """One picture and what became of it.

    Attributes:
        source: the picture as a `data:` address.
        answer: what it was answered where it left.
        last: what the last exit answers.
        label: what it is.
    """

    source: str
    answer: str
    last: str
    label: str


def sample_strips(examples: Arrays, class_names: Sequence[str]) -> list[list[Sample]]:
    """Turn the arrays of `plots/examples/` into a strip an exit and one of changed answers.

    Arguments:
        examples: as `evaluate` wrote them; no arrays, no strips.
        class_names: name of each class; none where they are not known.
    """
    if not examples or not class_names:
        return []
    exits = examples["by_exit"].shape[1]
    strips: list[list[Sample]] = [[] for _ in range(exits + 1)]
    for row, group in enumerate(examples["group"].tolist()):
        by_exit = examples["by_exit"][row]
        strips[group].append(
            Sample(
                source=picture_address(examples["images"][row]),
                answer=class_names[by_exit[examples["exit_index"][row]]],
                last=class_names[by_exit[-1]],
                label=class_names[examples["labels"][row]],
            )
        )
    return strips


def picture_address(pixels: np.ndarray) -> str:
    """Give uint8 [height, width, 1 or 3] as the `data:` address of a PNG, the same every time."""
    import PIL.Image  # heavy, and only needed here

    image = PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    if max(image.size) > LARGEST:
        image.thumbnail((LARGEST, LARGEST), PIL.Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
