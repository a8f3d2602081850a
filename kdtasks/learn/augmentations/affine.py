"""Shift, rotation, zoom and flip: one affine motion an image."""

from typing import Annotated

import numpy as np
from pydantic import Field

from kdtasks.core.settings import Count, Fraction, Index, Section


class AugmentationParams(Section):
    """Augmented views of the training pictures, drawn once and shared by teacher and student."""

    views: Count = Field(
        default=4,
        description="number of whole augmented copies of the training split, the first as it is; "
        "from epoch to epoch a picture goes through them in turn",
    )
    shift: Fraction = Field(
        default=0.0, description="largest shift, as a share of height and width"
    )
    rotation_degrees: Annotated[float, Field(ge=0.0, le=180.0)] = Field(
        default=0.0, description="largest rotation either way, in degrees"
    )
    zoom: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0, description="largest relative zoom in or out"
    )
    horizontal_flip: bool = Field(default=False, description="mirror a random half of the pictures")
    seed: Index = Field(default=0, description="seed of the views")


def _moves(augmentation: AugmentationParams) -> bool:
    return bool(
        augmentation.shift
        or augmentation.rotation_degrees
        or augmentation.zoom
        or augmentation.horizontal_flip
    )


def _transforms(
    count: int, size: tuple[int, int], draw: np.random.Generator, augmentation: AugmentationParams
) -> np.ndarray:
    """Draw the maps from output to input coordinates, float32 [N, 8], about the centre."""
    height, width = size
    angle = np.radians(draw.uniform(-1, 1, count) * augmentation.rotation_degrees)
    zoom = 1.0 + draw.uniform(-1, 1, count) * augmentation.zoom
    shift_x = draw.uniform(-1, 1, count) * augmentation.shift * width
    shift_y = draw.uniform(-1, 1, count) * augmentation.shift * height
    flipped = augmentation.horizontal_flip & (draw.random(count) < 0.5)
    mirror = np.where(flipped, -1.0, 1.0)
    cosine, sine = np.cos(angle) / zoom, np.sin(angle) / zoom
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    a, b, d, e = cosine * mirror, -sine, sine * mirror, cosine
    c = centre_x - a * centre_x - b * centre_y + shift_x
    f = centre_y - d * centre_x - e * centre_y + shift_y
    zero = np.zeros(count)
    return np.stack([a, b, c, d, e, f, zero, zero], axis=1).astype(np.float32)
