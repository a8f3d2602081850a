"""Single layers of a network that comes as a graph: built anew, as kinds that passes know."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from kdtasks.core.backend import Tensor, keras, tf
from kdtasks.core.errors import ModelError
from kdtasks.learn.networks.layers import scaled_filters

# The layers that make channels of their own, with the key of their number.
MAKERS = {
    "Conv2D": "filters",
    "Conv2DTranspose": "filters",
    "SeparableConv2D": "filters",
    "Dense": "units",
}

# Those that take any number of channels.
_FOLLOWERS = {
    "Activation", "Add", "Average", "AveragePooling2D", "BatchNormalization", "Concatenate",
    "Cropping2D", "DepthwiseConv2D", "Dropout", "ELU", "Flatten", "GaussianNoise",
    "GlobalAveragePooling2D", "GlobalMaxPooling2D", "InputLayer", "LayerNormalization",
    "LeakyReLU", "MaxPooling2D", "Maximum", "Multiply", "PReLU", "ReLU", "Rescaling", "Softmax",
    "SpatialDropout2D", "Subtract", "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip

# Arithmetic with a number that Keras writes between layers, as what it does to x.
_ARITHMETIC: dict[str, Callable[[float], dict[str, float]]] = {
    "__operators__.add": lambda number: {"scale": 1.0, "offset": number},
    "math.add": lambda number: {"scale": 1.0, "offset": number},
    "math.subtract": lambda number: {"scale": 1.0, "offset": -number},
    "math.multiply": lambda number: {"scale": number},
    "math.truediv": lambda number: {"scale": 1.0 / number},
    "math.divide": lambda number: {"scale": 1.0 / number},
}

_ACTIVATIONS = {
    "math.sigmoid": "sigmoid",
    "math.tanh": "tanh",
    "nn.elu": "elu",
    "nn.gelu": "gelu",
    "nn.relu": "relu",
    "nn.relu6": "relu6",
    "nn.sigmoid": "sigmoid",
    "nn.silu": "swish",
    "nn.swish": "swish",
    "nn.tanh": "tanh",
}


def renumbered_name(layer: Any, counts: Counter[str]) -> str:
    """Number a layer whose name Keras made of its class; others keep theirs."""
    kind = type(layer).__name__
    stem = re.sub(r"_\d+$", "", layer.name)
    if kind == "TFOpLambda":
        stem = stem.replace("__operators__.", "").replace(".", "_")
    elif stem != _snake(kind):
        return str(layer.name)
    counts[stem] += 1
    return f"{stem}_{counts[stem]}"


def _snake(name: str) -> str:
    """The name that Keras gives layers of a class."""
    parted = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()


def clone_layer(layer: Any, args: Any, kwargs: Any, *, name: str, width: float) -> Tensor:
    """Build a layer like another, and call it.

    Args:
        args, kwargs: what it is called with.
        name: of the new one.
        width: factor of its filters or units.

    Raises:
        ModelError: it does not fit its input, or has learned what its weights alone tell.
    """
    kind, config = type(layer).__name__, layer.get_config()
    if kind == "TFOpLambda":
        if (plain := _plain(layer, args, kwargs, name)) is not None:
            return plain
        return type(layer).from_config({**config, "name": name})(*args, **kwargs)
    if kind == "Normalization":
        return _rescaling(layer, config)(args[0])
    if kind == "Activation" and config["activation"] == "relu6":
        return keras.layers.ReLU(6.0, name=name)(args[0])  # the passes know no other
    config |= {"name": name, "dtype": "float32", "trainable": True}
    if width != 1.0 and kind in MAKERS:
        config[MAKERS[kind]] = scaled_filters(width, config[MAKERS[kind]])
    if width != 1.0 and kind == "Reshape":
        config["target_shape"] = (*config["target_shape"][:-1], args[0].shape[-1])
    if kind == "BatchNormalization":
        # Its running statistics follow fast enough for short trainings.
        config["momentum"] = min(config["momentum"], 0.9)
    try:
        return type(layer).from_config(config)(*args, **kwargs)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"the layer {layer.name!r} does not fit its input ({reason})") from error


def _rescaling(layer: Any, config: dict[str, Any]) -> Any:
    """Make a `Normalization` whose mean stands in its configuration a layer without weights."""
    if config["mean"] is None:
        raise ModelError(
            f"the layer {layer.name!r} has learned its mean from images; give a Rescaling in its "
            "place, or a Normalization with mean and variance"
        )
    mean, variance = (np.ravel(config[key]).astype(float) for key in ("mean", "variance"))
    deviation = np.maximum(np.sqrt(variance), 1e-7)  # as Keras does
    scale, offset = (1 / deviation).tolist(), (-mean / deviation).tolist()
    return keras.layers.Rescaling(scale, offset, name=layer.name)


def _plain(layer: Any, args: Any, kwargs: Any, name: str) -> Tensor | None:
    """What a node of TensorFlow computes, as an ordinary layer, which passes know; None: none."""
    function = layer.get_config()["function"]
    given = [*args, *(value for key, value in kwargs.items() if key != "name")]
    tensors = [value for value in given if tf.is_tensor(value)]
    if function in _ACTIVATIONS and len(given) == 1:
        if function == "nn.relu6":
            return keras.layers.ReLU(6.0, name=name)(given[0])
        return keras.layers.Activation(_ACTIVATIONS[function], name=name)(given[0])
    if function not in _ARITHMETIC or len(given) != 2:
        return None
    if len(tensors) == 2:
        kinds = {"add": keras.layers.Add, "multiply": keras.layers.Multiply}
        kind, (left, right) = kinds.get(function.rpartition(".")[2]), tensors
        same = len(left.shape) == len(right.shape) and left.shape[-1] == right.shape[-1]
        return kind(name=name)(tensors) if kind and same else None
    numbers = [value for value in given if isinstance(value, int | float)]
    # x − 3 and x / 3 are of this kind, 3 − x and 3 / x are not.
    commutes = function.endswith(("add", "multiply"))
    if len(tensors) != 1 or len(numbers) != 1 or not (commutes or tf.is_tensor(given[0])):
        return None
    settings = _ARITHMETIC[function](float(numbers[0]))
    return keras.layers.Rescaling(**settings, name=name)(tensors[0])


def check_scalable(layers: list[Any]) -> None:
    """Refuse layers whose channels a width cannot multiply.

    Raises:
        ModelError: the message names the first.
    """
    for layer in layers:
        kind, config = type(layer).__name__, layer.get_config()
        if getattr(layer, "groups", 1) != 1 and kind in MAKERS:
            reason = f"convolves in {layer.groups} groups"
        elif kind == "Reshape" and not _keeps_channels(config["target_shape"]):
            reason = f"reshapes to {tuple(config['target_shape'])}"
        elif kind == "TFOpLambda" and config["function"] in {*_ARITHMETIC, *_ACTIVATIONS}:
            continue
        elif kind not in {*MAKERS, *_FOLLOWERS, "Reshape"}:
            reason = f"is a {kind}"
        else:
            continue
        raise ModelError(
            f"the layer {layer.name!r} {reason}, which cannot be scaled by a width; set width to "
            "1.0, or give a smaller network"
        )


def _keeps_channels(target_shape: Any) -> bool:
    """Whether a shape is one place with all the channels, as in squeeze-and-excitation."""
    return len(target_shape) == 3 and tuple(target_shape[:2]) == (1, 1)
