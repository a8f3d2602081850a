"""The block of MobileNetV2 (arXiv 1801.04381), whose kernels look at one channel each."""

import math

from kdtasks.backend import Tensor, keras
from kdtasks.models.backbone import activate, batch_normalization, convolution


def inverted_residual(
    tensor: Tensor,
    *,
    name: str,
    filters: int,
    strides: int = 1,
    expansion: int = 1,
    kernel_size: int = 3,
) -> Tensor:
    """Widen, convolve every channel by itself, narrow without activation; add what came in.

    What came in is added where it has the same shape.

    Arguments:
        tensor: [batch, height, width, channels].
        name: the layers are `{name}_expand_…`, `{name}_depthwise_…`, `{name}_project_…` and
            `{name}_add`.
        filters: channels that come out.
        expansion: how many times as many channels there are inside as come in; with 1 nothing is
            widened.
    """
    shortcut = tensor
    if expansion > 1:
        inside = expansion * tensor.shape[-1]
        tensor = convolution(tensor, name=f"{name}_expand", filters=inside, kernel_size=1)
    # Keras would count all channels as inputs of each of these kernels, and begin near zero.
    spread = math.sqrt(2.0) / kernel_size
    tensor = keras.layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=keras.initializers.TruncatedNormal(stddev=spread),
        name=f"{name}_depthwise_conv",
    )(tensor)
    tensor = batch_normalization(tensor, name=f"{name}_depthwise_norm")
    tensor = activate(tensor, "relu", name=f"{name}_depthwise_activation")
    tensor = convolution(
        tensor, name=f"{name}_project", filters=filters, kernel_size=1, activation=None
    )
    if strides > 1 or filters != shortcut.shape[-1]:
        return tensor
    return keras.layers.Add(name=f"{name}_add")([shortcut, tensor])
