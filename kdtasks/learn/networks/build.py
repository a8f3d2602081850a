"""Build any network of the zoo, with exits where params say."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.errors import ModelError
from kdtasks.core.settings import Names, Section, Size
from kdtasks.learn.networks import Architecture, Layers, architectures
from kdtasks.learn.networks.layers import convolution
from kdtasks.learn.networks.multi_exit import MultiExitModel


class HeadParams(Section):
    """What an early exit of a classifier does with the features it looks at."""

    filters: Size | None = Field(
        default=None,
        description="filters of a 3×3 convolution that halves height and width first; null for "
        "none",
    )
    grid: Size = Field(
        default=4,
        description="side of the grid that the features are averaged to, or less where theirs is "
        "no multiple of it",
    )


Heads = Mapping[str, HeadParams]


class NetworkDescription(Section):
    """What a network is built from; the arguments of `build`."""

    # Deferred: the choice of architectures imports this module.
    model_config = ConfigDict(defer_build=True, extra="ignore")

    architecture: Annotated[Architecture, architectures]
    input_shape: tuple[int, int, int]
    num_classes: int
    exits: Names
    heads: dict[str, HeadParams] = Field(default={})
    layers: Layers | None = Field(default=None)


@dataclass(frozen=True, kw_only=True)
class BuiltModel(MultiExitModel):
    """A network of the zoo, which can be saved and built again."""

    description: NetworkDescription


def build(
    architecture: Architecture,
    *,
    input_shape: tuple[int, int, int],
    num_classes: int,
    exits: Sequence[str] = (),
    heads: Heads | None = None,
    layers: Layers | None = None,
) -> BuiltModel:
    """Build a network that takes raw pixels 0…255 and gives logits.

    Args:
        architecture: the network's params.
        input_shape: height, width, channels.
        num_classes: logits of every exit.
        exits: taps after which an early exit is attached, in the network's order.
        heads: what exits of a classifier do with the features; without an entry, the default.
        layers: as `Architecture.read` found them; None where params say it all.

    Raises:
        ModelError: an exit names no tap, stands twice or out of order, or the image's size, or the
            number of classes, does not suit the network.
    """
    _check_exits(architecture, exits)
    description = NetworkDescription(
        architecture=architecture,
        input_shape=input_shape,
        num_classes=num_classes,
        exits=tuple(exits),
        heads=dict(heads or {}),
        layers=layers,
    )
    image = keras.Input(input_shape, name="image")
    scaled = architecture.scale(image, layers)
    backbone = architecture.build_of(layers, scaled) if layers else architecture.build(scaled)
    _check_exits(architecture, exits, list(backbone.taps))
    outputs = []
    for index, name in enumerate((*exits, None)):
        tensor = backbone.taps[name][0] if name else backbone.features
        if backbone.gives_logits and not name:
            output = _checked(tensor, num_classes)
        elif architecture.per_pixel:
            output = _pixel_head(tensor, num_classes, input_shape[0], f"exit_{index}")
        else:
            head = description.heads.get(name, HeadParams()) if name else None
            output = _image_head(tensor, num_classes, f"exit_{index}", head)
        outputs.append(output)
    return BuiltModel(
        network=keras.Model(image, outputs, name=architecture.name),
        taps=tuple(tuple(map(_layer_name, backbone.taps[name])) for name in exits),
        blocks={name: _layer_name(tensors[0]) for name, tensors in backbone.taps.items()},
        description=description,
    )


def _check_exits(
    architecture: Architecture, exits: Sequence[str], taps: Sequence[str] | None = None
) -> None:
    try:
        architecture.check_exits(exits, taps)
    except ValueError as error:
        raise ModelError(str(error)) from None


def _checked(logits: Tensor, num_classes: int) -> Tensor:
    if logits.shape[-1] != num_classes:
        raise ModelError(
            f"the network's last layer {_layer_name(logits)!r} has {logits.shape[-1]} outputs, the "
            f"dataset {num_classes} classes; give it one a class, or name the layer before it in "
            "`features`, which then gets a head of its own"
        )
    return logits


def _image_head(tensor: Tensor, num_classes: int, name: str, params: HeadParams | None) -> Tensor:
    """One dense layer; of early exits, which have params, after an average to a coarse grid."""
    if params:
        if params.filters:
            tensor = convolution(tensor, name=name, filters=params.filters, strides=2)
        pool = tuple(math.ceil(side / params.grid) for side in tensor.shape[1:3])
        tensor = keras.layers.AveragePooling2D(pool, padding="same", name=f"{name}_pool")(tensor)
        tensor = keras.layers.Flatten(name=f"{name}_flatten")(tensor)
    return keras.layers.Dense(num_classes, name=f"{name}_logits")(tensor)


def _pixel_head(tensor: Tensor, num_classes: int, height: int, name: str) -> Tensor:
    """A 1×1 convolution, then nearest upsampling to the image's size where it is coarser."""
    factor = height // tensor.shape[1]
    if factor == 1:
        return keras.layers.Conv2D(num_classes, 1, name=f"{name}_logits")(tensor)
    tensor = keras.layers.Conv2D(num_classes, 1, name=f"{name}_convolution")(tensor)
    return keras.layers.UpSampling2D(factor, interpolation="nearest", name=f"{name}_logits")(tensor)


def _layer_name(tensor: Tensor) -> str:
    return str(tensor.node.layer.name)
