"""Preprocessing that networks expect: the scale of pixels, and the order of colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.settings import Layout, PixelStatistics, Scaling, TeacherInput

# Red, green and blue of ImageNet: the mean that Caffe's models subtract, in 0…255, and the
# statistics of torchvision's, in 0…1 (the modes `caffe` and `torch` of `keras.applications`).
_CAFFE_MEAN = (123.68, 116.779, 103.939)
_TORCH = PixelStatistics(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

# (scale, offset) of pixels of 0…255, one number or one a colour.
_SCALES: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "byte": ((1.0,), (0.0,)),
    "unit": ((1 / 255,), (0.0,)),
    "symmetric": ((1 / 127.5,), (-1.0,)),
    "caffe": ((1.0,), [-mean for mean in _CAFFE_MEAN]),
}

# In the order in which they are tried; the last two are of colours.
_OF_ANY: tuple[Scaling, ...] = ("byte", "unit", "symmetric")
_OF_COLOURS: tuple[Scaling, ...] = ("torch", "caffe")


@dataclass(frozen=True)
class Preprocessing:
    """How a network takes pixels.

    Attributes:
        scaling: as of `TeacherInput`.
        layout: order of the colours; of grey images `rgb`.
    """

    scaling: Scaling | PixelStatistics
    layout: Layout

    @property
    def content(self) -> dict[str, Any]:
        """What params and `teacher.json` say of it."""
        scaling = self.scaling
        if isinstance(scaling, PixelStatistics):
            return {"scaling": scaling.model_dump(mode="json"), "layout": self.layout}
        return {"scaling": scaling, "layout": self.layout}

    @classmethod
    def of(cls, content: dict[str, Any]) -> Self:
        """Make it of its `content`."""
        scaling = content["scaling"]
        if isinstance(scaling, dict):
            scaling = PixelStatistics.model_validate(scaling)
        return cls(scaling, content["layout"])

    def __str__(self) -> str:
        scaling = self.scaling
        name = "mean and std" if isinstance(scaling, PixelStatistics) else scaling
        return name if self.is_natural else f"{name} {self.layout}"

    @property
    def is_natural(self) -> bool:
        """Whether the order of the colours is the one that goes with the scaling."""
        return self.layout == ("bgr" if self.scaling == "caffe" else "rgb")

    def apply(self, images: np.ndarray) -> np.ndarray:
        """Give uint8 [N, height, width, channels] as float32, ready for the network."""
        statistics = _TORCH if self.scaling == "torch" else self.scaling
        if isinstance(statistics, PixelStatistics):
            mean, std = (np.array(numbers) for numbers in (statistics.mean, statistics.std))
            scale, offset = 1 / (255 * std), -mean / std
        else:
            scale, offset = (np.array(numbers) for numbers in _SCALES[statistics])
        scaled = images * scale.astype(np.float32) + offset.astype(np.float32)
        return np.ascontiguousarray(scaled[..., ::-1]) if self.layout == "bgr" else scaled


def preprocessing_candidates(settings: TeacherInput, channels: int) -> list[Preprocessing]:
    """List the preprocessings that settings allow.

    Args:
        channels: of the images; grey ones have one layout, and no statistics of colours.

    Raises:
        TeacherError: the images are grey and the settings of colours.
    """
    if channels == 1 and _is_of_colours(settings.scaling):
        raise TeacherError(
            "teacher.input.scaling has the statistics of three colours, and the images are grey: "
            "set teacher.input.channels to 3, or give one mean and std"
        )
    scalings: Sequence[Scaling | PixelStatistics]
    if settings.scaling != "auto":
        scalings = (settings.scaling,)
    else:
        scalings = _OF_ANY if channels == 1 else (*_OF_ANY, *_OF_COLOURS)
    layouts: Sequence[Layout] = ("rgb",) if channels == 1 else ("rgb", "bgr")
    if settings.layout != "auto":
        layouts = (settings.layout,)
    return [Preprocessing(scaling, layout) for scaling in scalings for layout in layouts]


def _is_of_colours(scaling: Scaling | PixelStatistics | str) -> bool:
    if isinstance(scaling, PixelStatistics):
        return max(len(scaling.mean), len(scaling.std)) > 1
    return scaling in _OF_COLOURS
