"""What networks share that begin with trained weights: scaling of pixels, and two phases."""

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.errors import ModelError
from kdtasks.learn.networks import Architecture
from kdtasks.learn.networks.keras_files import Kind, kind_of

Scaling = Literal["byte", "unit", "symmetric", "torch", "caffe"]

# Mean and standard deviation of ImageNet's pixels, red, green, blue: of 0…1 as torchvision has
# them, and of 0…255 as Caffe's networks did.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (123.68, 116.779, 103.939)


class Phases(NamedTuple):
    """Fine-tuning of trained weights: first new layers alone, then everything at a smaller rate.

    Attributes:
        head: fraction of the epochs of the first.
        rate: fraction of the learning rate in the second.
    """

    head: float = 0.2
    rate: float = 0.1


class Pretrained(Architecture):
    """A network that may begin with trained weights."""

    head_first: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=Phases().head,
        description="with given weights: fraction of the epochs that train new layers alone, at "
        "the whole learning rate; batch normalisation keeps its statistics throughout",
    )
    later_rate: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=Phases().rate,
        description="with given weights: fraction of the learning rate for all layers after that",
    )

    @property
    def phases(self) -> Phases:
        """How training goes from given weights."""
        return Phases(self.head_first, self.later_rate)


def _below(path: str) -> str:
    if PurePath(path).is_absolute() or ".." in PurePath(path).parts:
        raise ValueError(
            f"got {path!r}; put the file into the folder that DVC watches (student.start, or "
            "teacher.path for a teacher), and give its path below that"
        )
    return path


# A file in the folder that DVC watches.
PathBelow = Annotated[str, AfterValidator(_below)]


def file_below(folder: Path, path: str, *, kinds: Sequence[Kind]) -> Path:
    """Find a network's file, by its path below the folder that DVC watches, or from the project on.

    Raises:
        ModelError: it is missing, or by its bytes of another kind.
    """
    names = {"keras": ".keras", "hdf5": "HDF5", "tflite": ".tflite"}
    file = Path(path) if Path(path).is_relative_to(folder) else folder / path
    if not file.is_file():
        raise ModelError(
            f"the network's file {file} is not there; put it into {folder}, which DVC watches"
        )
    if kind_of(file) not in kinds:
        raise ModelError(
            f"{file} is no {' or '.join(names[kind] for kind in kinds)} file, whatever its name "
            "says; save it anew with tf_keras"
        )
    return file


def scale_pixels(pixels: Tensor, scaling: Scaling) -> Tensor:
    """Bring pixels 0…255 to the range that a network was trained on, by a layer `rescale`.

    `caffe` leaves red first; who loads weights for blue first turns the first kernel round.
    """
    deviations = [255 * deviation for deviation in _DEVIATION]
    scale, offset = {
        "byte": (1.0, 0.0),
        "unit": (1.0 / 255.0, 0.0),
        "symmetric": (1.0 / 127.5, -1.0),
        "torch": (
            [1.0 / deviation for deviation in deviations],
            [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)],
        ),
        "caffe": (1.0, [-mean for mean in _CAFFE_MEAN]),
    }[scaling]
    return keras.layers.Rescaling(scale, offset, name="rescale")(pixels)
