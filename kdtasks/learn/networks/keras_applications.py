"""Networks of `keras.applications`, with their published weights or random ones."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.errors import ModelError, explained
from kdtasks.learn.networks import Backbone, Layers, architectures
from kdtasks.learn.networks.graphs import application_backbone, copy_weights
from kdtasks.learn.networks.layers import DropoutRate
from kdtasks.learn.networks.pretrained import (
    PathBelow,
    Pretrained,
    Scaling,
    file_below,
    scale_pixels,
)

_PREFIX, _IMAGENET = "keras_applications/", "imagenet"


class _Application(NamedTuple):
    """What is known of a network by its name.

    Attributes:
        scaling: of the pixels that its published weights were trained on.
        has_width: whether Keras builds it with a multiplier of its filters.
        prepares: whether Keras builds a part that scales pixels unless told not to.
    """

    scaling: Scaling
    has_width: bool = False
    prepares: bool = False


_APPLICATIONS = {
    "MobileNet": _Application("symmetric", has_width=True),
    "MobileNetV2": _Application("symmetric", has_width=True),
    "MobileNetV3Small": _Application("symmetric", has_width=True, prepares=True),
    "MobileNetV3Large": _Application("symmetric", has_width=True, prepares=True),
    "EfficientNetB0": _Application("torch"),
    "EfficientNetB1": _Application("torch"),
    "EfficientNetB2": _Application("torch"),
    "EfficientNetB3": _Application("torch"),
    "EfficientNetV2B0": _Application("torch", prepares=True),
    "EfficientNetV2B1": _Application("torch", prepares=True),
    "EfficientNetV2B2": _Application("torch", prepares=True),
    "EfficientNetV2B3": _Application("torch", prepares=True),
    "ResNet50": _Application("caffe"),
    "ResNet50V2": _Application("symmetric"),
    "DenseNet121": _Application("torch"),
}


@architectures.register
class KerasApplication(Pretrained):
    """A network of `keras.applications` without its top; each layer may carry an exit or a hint.

    Images have 32×32 pixels or more, and are scaled as the published weights want them.
    """

    scalable: ClassVar[tuple[str, ...]] = ("width",)

    name: Literal[
        "keras_applications/MobileNet",
        "keras_applications/MobileNetV2",
        "keras_applications/MobileNetV3Small",
        "keras_applications/MobileNetV3Large",
        "keras_applications/EfficientNetB0",
        "keras_applications/EfficientNetB1",
        "keras_applications/EfficientNetB2",
        "keras_applications/EfficientNetB3",
        "keras_applications/EfficientNetV2B0",
        "keras_applications/EfficientNetV2B1",
        "keras_applications/EfficientNetV2B2",
        "keras_applications/EfficientNetV2B3",
        "keras_applications/ResNet50",
        "keras_applications/ResNet50V2",
        "keras_applications/DenseNet121",
    ]
    weights: PathBelow | None = Field(
        default=None,
        description="null: random; `imagenet`: Keras's, cached or downloaded; or an HDF5 file "
        "without the top, below `student.start`, or `teacher.path` for a teacher",
    )
    width: Annotated[float, Field(gt=0.0)] = Field(
        default=1.0, description="multiplies the filters of a MobileNet; others have one width"
    )
    dropout: DropoutRate = Field(default=0.2, description="dropout rate before the last exit")

    @model_validator(mode="after")
    def _width_is_known(self) -> Self:
        if self.width != 1.0 and not self._known.has_width:
            able = [name for name, known in _APPLICATIONS.items() if known.has_width]
            raise ValueError(
                f"width is {self.width:g}, which {self._application} does not have; set it to 1.0, "
                f"or choose one of {', '.join(able)}"
            )
        return self

    @property
    def _application(self) -> str:
        return self.name.removeprefix(_PREFIX)

    @property
    def _known(self) -> _Application:
        return _APPLICATIONS[self._application]

    def taps(self) -> list[str] | None:
        return None

    def scale(self, pixels: Tensor, layers: Layers | None = None) -> Tensor:
        # Means of three colours say nothing of grey.
        return scale_pixels(pixels, self._known.scaling if pixels.shape[-1] == 3 else "symmetric")

    def build(self, image: Tensor) -> Backbone:
        network = self._network(tuple(image.shape[1:]))
        return application_backbone(network, image, dropout=self.dropout)

    def files(self, folder: Path) -> list[Path]:
        return [self._file(folder)] if self.weights not in (None, _IMAGENET) else []

    def load_weights(self, network: Any, folder: Path) -> set[str]:
        if self.weights is None:
            return set()
        shape = tuple(network.input_shape[1:])
        if shape[-1] != 3:
            raise ModelError(
                f"the weights of {self._application} are for three channels, the images have "
                f"{shape[-1]}; set data.channels to 3, or weights to null"
            )
        trained = copy_weights(self._with_weights(shape, folder), network)
        if self._known.scaling == "caffe":  # trained on blue first
            first = next(layer for layer in network.layers if layer.name in trained)
            kernel, *rest = first.get_weights()
            first.set_weights([kernel[:, :, ::-1], *rest])
        return trained

    def _with_weights(self, shape: tuple[int, ...], folder: Path) -> Any:
        if self.weights == _IMAGENET:
            problem = f"Keras does not get the weights of {self._application}"
            advice = (
                "without internet, download the file elsewhere into ~/.keras/models, or give its "
                "path as `weights`"
            )
            # Exception: its downloads raise nothing narrower.
            with explained(ModelError, problem, advice, Exception):
                return self._network(shape, weights=_IMAGENET)
        path, network = self._file(folder), self._network(shape)
        problem = f"the weights in {path} are not those of {self._application} without its top"
        advice = "give the file that Keras publishes as `…notop.h5` or `…no_top.h5`, of this width"
        # Exception: of a damaged file, anything may be raised.
        with explained(ModelError, problem, advice, Exception):
            network.load_weights(path)
        return network

    def _network(self, shape: tuple[int, ...], weights: str | None = None) -> Any:
        settings: dict[str, Any] = {"alpha": self.width} if self._known.has_width else {}
        if self._known.prepares:
            settings["include_preprocessing"] = False
        make = getattr(keras.applications, self._application)
        if weights:
            return make(include_top=False, weights=weights, input_shape=shape, **settings)
        problem = f"{self._application} cannot be built for images of {'×'.join(map(str, shape))}"
        advice = "set data.image_size to 32 or more"
        with explained(ModelError, problem, advice, ValueError):
            return make(include_top=False, weights=None, input_shape=shape, **settings)

    def _file(self, folder: Path) -> Path:
        return file_below(folder, str(self.weights), kinds=("hdf5",))
