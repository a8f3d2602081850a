"""Build any network of the zoo, with exits where params say."""

import math
from collections.abc import Mapping, Sequence

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.errors import ModelError
from kdtasks.core.settings import Count, Section
from kdtasks.learn.networks import Architecture
from kdtasks.learn.networks.layers import convolution
from kdtasks.learn.networks.multi_exit import MultiExitModel


class HeadParams(Section):
    """What an early exit of a classifier does with the features it looks at."""

    filters: Count | None = Field(
        default=None,
        description="filters of a 3×3 convolution that halves height and width first; null for "
        "none",
    )
    grid: Count = Field(
        default=4,
        description="side of the grid that the features are averaged to, or less where theirs is "
        "no multiple of it",
    )


Heads = Mapping[str, HeadParams]


def build(
    architecture: Architecture,
    *,
    input_shape: tuple[int, int, int],
    num_classes: int,
    exits: Sequence[str] = (),
    heads: Heads | None = None,
) -> MultiExitModel:
    """Build a network that takes raw pixels 0…255 and puts out logits.

    Args:
        architecture: the network's params.
        input_shape: height, width, channels.
        num_classes: logits of every exit.
        exits: taps after which an early exit is attached, in the network's order.
        heads: what exits of a classifier do with the features; without an entry, the default.

    Raises:
        ModelError: an exit names no tap, stands twice or out of order, or the image's size does
            not suit the network.
    """
    try:
        architecture.check_exits(exits)
    except ValueError as error:
        raise ModelError(str(error)) from None
    image = keras.Input(input_shape, name="image")
    scaled = keras.layers.Rescaling(1.0 / 255.0, name="rescale")(image)
    backbone = architecture.build(scaled)
    dense = architecture.per_pixel
    outputs = []
    for index, exit_name in enumerate(exits):
        tensor = backbone.taps[exit_name][0]
        name = f"exit_{index}"
        outputs.append(
            _pixel_head(tensor, num_classes, input_shape[0], name)
            if dense
            else _image_head(tensor, num_classes, name, (heads or {}).get(exit_name, HeadParams()))
        )
    last = f"exit_{len(exits)}"
    outputs.append(
        _pixel_head(backbone.features, num_classes, input_shape[0], last)
        if dense
        else keras.layers.Dense(num_classes, name=f"{last}_logits")(backbone.features)
    )
    taps = tuple(
        tuple(_layer_name(tensor) for tensor in backbone.taps[exit_name]) for exit_name in exits
    )
    network = keras.Model(image, outputs, name=architecture.name)
    blocks = {name: _layer_name(tensors[0]) for name, tensors in backbone.taps.items()}
    return MultiExitModel(network=network, taps=taps, blocks=blocks)


def _image_head(tensor: Tensor, num_classes: int, name: str, params: HeadParams) -> Tensor:
    """Convolve where params say, average to a coarse grid, then one dense layer."""
    if params.filters:
        tensor = convolution(tensor, name=name, filters=params.filters, strides=2)
    height, width = tensor.shape[1:3]
    pool = (math.ceil(height / params.grid), math.ceil(width / params.grid))
    tensor = keras.layers.AveragePooling2D(pool, padding="same", name=f"{name}_pool")(tensor)
    tensor = keras.layers.Flatten(name=f"{name}_flatten")(tensor)
    return keras.layers.Dense(num_classes, name=f"{name}_logits")(tensor)


def _pixel_head(tensor: Tensor, num_classes: int, height: int, name: str) -> Tensor:
    """A 1×1 convolution, then nearest upsampling to the image's size where it is coarser."""
    factor = height // tensor.shape[1]
    upsampled = factor > 1
    logits = keras.layers.Conv2D(
        num_classes, 1, name=f"{name}_convolution" if upsampled else f"{name}_logits"
    )(tensor)
    if upsampled:
        logits = keras.layers.UpSampling2D(factor, interpolation="nearest", name=f"{name}_logits")(
            logits
        )
    return logits


def _layer_name(tensor: Tensor) -> str:
    return str(tensor.node.layer.name)
