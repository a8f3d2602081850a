"""ResNet-8 as in MLPerf Tiny's image classification benchmark (arXiv 2106.07597)."""

from kdtasks.backend import Tensor, keras
from kdtasks.models.backbone import Backbone, activate, convolution
from kdtasks.params.architecture import ResNet8Params, share_of


def resnet8(image: Tensor, params: ResNet8Params) -> Backbone:
    """Build a convolution and three residual blocks; taps `stem`, `block_1`, `block_2`, `block_3`.

    Arguments:
        image: [batch, height, width, channels], values 0…1.
    """
    tensor = convolution(image, name="stem", filters=share_of(params.width, 16))
    taps = {"stem": (tensor,)}
    for block, (filters, strides) in enumerate([(16, 1), (32, 2), (64, 2)], start=1):
        tensor = _residual(
            tensor, name=f"block_{block}", filters=share_of(params.width, filters), strides=strides
        )
        taps[f"block_{block}"] = (tensor,)
    features = keras.layers.GlobalAveragePooling2D(name="top_average")(tensor)
    return Backbone(features=features, taps=taps)


def _residual(tensor: Tensor, *, name: str, filters: int, strides: int) -> Tensor:
    shortcut = tensor
    if strides > 1:
        shortcut = keras.layers.Conv2D(
            filters, 1, strides=strides, padding="same", name=f"{name}_shortcut_conv"
        )(shortcut)
    tensor = convolution(tensor, name=f"{name}_1", filters=filters, strides=strides)
    tensor = convolution(tensor, name=f"{name}_2", filters=filters, activation=None)
    tensor = keras.layers.Add(name=f"{name}_add")([shortcut, tensor])
    return activate(tensor, "relu", name=f"{name}_activation")
