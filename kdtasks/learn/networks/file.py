"""A network of the user's own: the layers of a `.keras` or HDF5 file, none of whose code runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.errors import ModelError
from kdtasks.learn.networks import Backbone, Layers, architectures
from kdtasks.learn.networks.graphs import copy_weights, from_config, graph_taps, rebuild_on
from kdtasks.learn.networks.keras_files import load_keras_file, read_checked
from kdtasks.learn.networks.pretrained import (
    PathBelow,
    Pretrained,
    Scaling,
    file_below,
    scale_pixels,
)
from kdtasks.learn.networks.safe_config import check_config

_SCALING_LAYERS = ("Rescaling", "Normalization")


@architectures.register
class File(Pretrained):
    """The layers of a Functional `tf_keras` model in a file; each may carry an exit or a hint.

    It takes the images of the dataset and gives a logit, or a softmax, a class.
    """

    per_pixel: ClassVar[bool | None] = None

    scalable: ClassVar[tuple[str, ...]] = ("width",)

    name: Literal["file"] = "file"
    path: PathBelow = Field(
        description="the `.keras` or `.h5` file, below `student.start`, or `teacher.path` for a "
        "teacher, which DVC watches"
    )
    width: Annotated[float, Field(gt=0.0)] = Field(
        default=1.0, description="multiplies the filters and units of all layers but the last"
    )
    features: str | None = Field(
        default=None,
        description="layer whose features get a new head for the dataset's classes; null: the "
        "network's own last layer answers",
    )
    scaling: Scaling | None = Field(
        default=None,
        description="input range: `byte` 0…255, `unit` 0…1, `symmetric` −1…1, `torch` and `caffe` "
        "as ImageNet's (`caffe`: red first); null: `byte` if a scaling layer comes first, else "
        "`unit`",
    )
    weights: Literal["random", "file"] = Field(
        default="random",
        description="begin with `random` weights, others for every seed, or with the `file`'s",
    )

    @model_validator(mode="after")
    def _weights_fit(self) -> Self:
        if self.weights == "file" and self.width != 1.0:
            raise ValueError(
                f"weights is file and width {self.width:g}; weights are of the whole width: set "
                "weights to random, or width to 1.0"
            )
        return self

    def taps(self) -> list[str] | None:
        return None

    def read_layers(self, folder: Path) -> Layers:
        path = self._file(folder)
        try:
            keras_file = read_checked(path, source=str(path))
        except ModelError:
            raise
        except Exception as error:  # a damaged file may fail in any way
            raise ModelError(
                f"{path} is no whole .keras or HDF5 file ({type(error).__name__}: {error}); save "
                "the model anew"
            ) from error
        if keras_file.version >= "3":
            raise ModelError(
                f"{path} was written by Keras {keras_file.version}; networks are trained by "
                "tf_keras, which the compression tools need: build the same layers with `import "
                "tf_keras as keras` and save that"
            )
        return {"source": path.name, "network": keras_file.config}

    def files(self, folder: Path) -> list[Path]:
        return [self._file(folder)]

    def build(self, image: Tensor) -> Backbone:
        raise ModelError(
            f"the layers of {self.path} are not here; read them with `read_layers` first"
        )

    def build_of(self, layers: Layers, image: Tensor) -> Backbone:
        # Again, since layers may come with a saved model from elsewhere.
        check_config(layers["network"], source=layers["source"])
        network = from_config(layers["network"], source=layers["source"])
        _check_input(layers["source"], network.input_shape[1:], image.shape[1:])
        output = rebuild_on(network, image, width=self.width, last=self.features)
        taps = graph_taps(image, output)
        if self.features is None:
            return Backbone(output, taps, gives_logits=True)
        if len(output.shape) == 4:
            output = keras.layers.GlobalAveragePooling2D(name="top_average")(output)
        elif len(output.shape) > 2:
            output = keras.layers.Flatten(name="top_flatten")(output)
        return Backbone(output, taps)

    def scale(self, pixels: Tensor, layers: Layers | None = None) -> Tensor:
        scaling = self.scaling
        if scaling is None:
            first = next(_kinds((layers or {})["network"]), None)
            scaling = "byte" if first in _SCALING_LAYERS else "unit"
        return scale_pixels(pixels, scaling)

    def load_weights(self, network: Any, folder: Path) -> set[str]:
        if self.weights == "random":
            return set()
        path = self._file(folder)
        try:
            _, source = load_keras_file(path)
        except ModelError:
            raise
        except Exception as error:  # as above
            raise ModelError(f"{path} is damaged ({type(error).__name__}); save it anew") from error
        return copy_weights(source, network)

    def _file(self, folder: Path) -> Path:
        return file_below(folder, self.path, kinds=("keras", "hdf5"))


def _kinds(network: dict[str, Any]) -> Iterator[str]:
    """The classes of the layers, those of networks inside among them, in order."""
    for layer in network["config"]["layers"]:
        if isinstance(layer["config"].get("layers"), list):
            yield from _kinds(layer)
        elif layer["class_name"] != "InputLayer":
            yield layer["class_name"]


def _check_input(source: str, expected: tuple[int | None, ...], given: tuple[int, ...]) -> None:
    pairs = zip(expected, given, strict=False)
    if len(expected) != len(given) or any(size not in (None, number) for size, number in pairs):
        taken, here = (
            "×".join("any" if n is None else str(n) for n in s) for s in (expected, given)
        )
        raise ModelError(
            f"{source} takes images of {taken}, the dataset has {here}; set data.image_size and "
            "data.channels to the network's, or save it with keras.Input of the dataset's"
        )
