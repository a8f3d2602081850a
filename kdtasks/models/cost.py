"""Compute cost of a network: multiply-accumulates of its convolutions and dense layers."""

from math import prod
from typing import Any


def count_macs(model: Any) -> int:
    """Count the multiply-accumulates of one picture.

    Batch normalisation folds into the convolution before it and elementwise layers multiply next
    to nothing, so neither counts.

    Arguments:
        model: a Functional `tf_keras` model with fixed height and width.
    """
    return sum(_layer_macs(layer) for layer in model.layers)


def _layer_macs(layer: Any) -> int:
    kind = type(layer).__name__
    if kind == "Dense":
        return int(prod(layer.get_output_shape_at(0)[1:]) * layer.kernel.shape[0])
    if kind in ("Conv2D", "Conv2DTranspose"):
        # A transposed convolution multiplies once for every input pixel and kernel weight.
        shape = layer.get_output_shape_at(0) if kind == "Conv2D" else layer.get_input_shape_at(0)
        return int(prod(shape[1:3]) * prod(layer.kernel.shape))
    if kind == "SeparableConv2D":
        kernels = prod(layer.depthwise_kernel.shape) + prod(layer.pointwise_kernel.shape)
        return int(prod(layer.get_output_shape_at(0)[1:3]) * kernels)
    if kind == "DepthwiseConv2D":
        return int(prod(layer.get_output_shape_at(0)[1:3]) * prod(layer.depthwise_kernel.shape))
    return 0
