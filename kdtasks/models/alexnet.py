"""AlexNet for 32×32 pictures, after B-AlexNet of BranchyNet (arXiv 1709.01686)."""

from kdtasks.backend import Tensor, keras
from kdtasks.models.backbone import Backbone, activate, convolution
from kdtasks.params.architecture import AlexNetParams, share_of


def alexnet(image: Tensor, params: AlexNetParams) -> Backbone:
    """Build five convolutions, three poolings and two dense layers; taps `block_1` … `block_5`.

    Arguments:
        image: [batch, height, width, channels], values 0…1.
    """
    tensor, taps = image, {}
    blocks = [(32, 5, True), (64, 5, True), (96, 3, False), (96, 3, False), (64, 3, True)]
    for block, (filters, kernel_size, pooled) in enumerate(blocks, start=1):
        tensor = convolution(
            tensor,
            name=f"block_{block}",
            filters=share_of(params.width, filters),
            kernel_size=kernel_size,
        )
        if pooled:
            tensor = keras.layers.MaxPooling2D(
                3, strides=2, padding="same", name=f"block_{block}_pool"
            )(tensor)
        taps[f"block_{block}"] = (tensor,)
    tensor = keras.layers.Flatten(name="top_flatten")(tensor)
    for number in (1, 2):
        tensor = keras.layers.Dense(share_of(params.width, 256), name=f"dense_{number}")(tensor)
        tensor = activate(tensor, "relu", name=f"dense_{number}_activation")
        tensor = keras.layers.Dropout(params.dropout, name=f"dense_{number}_dropout")(tensor)
    return Backbone(features=tensor, taps=taps)
