"""A chain of inverted residuals for small pictures, after MobileNetV2 (arXiv 1801.04381)."""

from kdtasks.backend import Tensor, keras
from kdtasks.models.backbone import Backbone, convolution
from kdtasks.models.inverted_residual import inverted_residual
from kdtasks.params.architecture import MobileNetParams


def mobilenet(image: Tensor, params: MobileNetParams) -> Backbone:
    """Build a convolution, inverted residuals and a global average; taps `stem`, `block_1` ….

    Arguments:
        image: [batch, height, width, channels], values 0…1.
    """
    tensor = convolution(image, name="stem", filters=params.stem)
    taps = {"stem": (tensor,)}
    for block, (filters, strides) in enumerate(
        zip(params.filters, params.strides, strict=True), start=1
    ):
        tensor = inverted_residual(
            tensor,
            name=f"block_{block}",
            filters=filters,
            strides=strides,
            expansion=params.expansion,
            kernel_size=params.kernel_size,
        )
        taps[f"block_{block}"] = (tensor,)
    if params.top:
        tensor = convolution(tensor, name="top", filters=params.top, kernel_size=1)
    features = keras.layers.GlobalAveragePooling2D(name="top_average")(tensor)
    return Backbone(features=features, taps=taps)
