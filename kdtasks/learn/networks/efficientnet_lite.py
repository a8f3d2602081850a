"""EfficientNet-Lite0: EfficientNet without what integer arithmetic is slow or inexact at."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor
from kdtasks.core.errors import ModelError, explained
from kdtasks.learn.networks import Architecture, Backbone, architectures
from kdtasks.learn.networks.graphs import application_backbone
from kdtasks.learn.networks.layers import DropoutRate


@architectures.register
class EfficientNetLite0(Architecture):
    """EfficientNet-Lite0, from random weights: no squeeze-and-excitation, ReLU6 in place of swish.

    After arXiv 1905.11946 and TensorFlow's `efficientnet/lite`. Any layer may carry an exit.
    """

    scalable: ClassVar[tuple[str, ...]] = ("width",)

    name: Literal["efficientnet_lite0"] = "efficientnet_lite0"
    width: Annotated[float, Field(gt=0.0)] = Field(
        default=1.0, description="multiplies the filters, which are rounded to eights"
    )
    dropout: DropoutRate = Field(default=0.2, description="dropout rate before the last exit")

    def taps(self) -> list[str] | None:
        return None

    def build(self, image: Tensor) -> Backbone:
        from tf_keras.src.applications import efficientnet

        blocks: list[dict[str, Any]] = [
            {**block, "se_ratio": 0.0} for block in efficientnet.DEFAULT_BLOCKS_ARGS
        ]
        shape = tuple(image.shape[1:])
        problem = f"{self.name} cannot be built for images of {'×'.join(map(str, shape))}"
        with explained(ModelError, problem, "set data.image_size to 32 or more", ValueError):
            network = efficientnet.EfficientNet(
                self.width,
                1.0,
                224,
                activation="relu6",
                blocks_args=blocks,
                include_top=False,
                weights=None,
                input_shape=shape,
            )
        return application_backbone(network, image, dropout=self.dropout)
