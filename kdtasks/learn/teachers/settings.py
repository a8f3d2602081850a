"""Params of the teacher."""

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from kdtasks.core.settings import Count, Index, Names, Positive, Section, Size
from kdtasks.learn.networks import Architecture, architectures

Scaling = Literal["byte", "unit", "symmetric", "caffe", "torch"]
Layout = Literal["rgb", "bgr"]


class PixelStatistics(Section):
    """Mean and standard deviation that a network's images were normalised with."""

    mean: Annotated[tuple[float, ...], Field(strict=False, min_length=1, max_length=3)] = Field(
        description="of pixels of 0…1: one number, or one each for red, green and blue"
    )
    std: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1, max_length=3)] = Field(
        description="of pixels of 0…1: one number, or one each for red, green and blue"
    )

    @model_validator(mode="after")
    def _is_of_unit_pixels(self) -> "PixelStatistics":
        if not {len(self.mean), len(self.std)} <= {1, 3}:
            raise ValueError(
                f"mean has {len(self.mean)} numbers and std {len(self.std)}; give one, or three "
                "for red, green and blue"
            )
        if max(self.mean) > 1:
            raise ValueError(
                f"mean is {list(self.mean)}; it is of pixels of 0…1, so divide mean and std of "
                "pixels of 0…255 by 255"
            )
        return self


class TeacherInput(Section):
    """How an imported teacher takes its images; what is not said is found out or the dataset's."""

    size: Annotated[tuple[Size, Size], Field(strict=False)] | None = Field(
        default=None,
        description="height and width of the teacher's images, made from the same originals and "
        "views as the student's; null: the student's",
    )
    channels: Literal[1, 3] | None = Field(
        default=None, description="1 grey, 3 colours; null: as many as the student's images"
    )
    scaling: Literal["auto"] | Scaling | PixelStatistics = Field(
        default="auto",
        description="`byte` 0…255, `unit` 0…1, `symmetric` −1…1, `caffe` (0…255 less ImageNet's "
        "mean, blue first), `torch` (0…1 by ImageNet's mean and standard deviation), or your own "
        "`mean` and `std`; `auto`: clearly the lowest cross-entropy on validation",
    )
    layout: Literal["auto"] | Layout = Field(
        default="auto",
        description="order of colours; `auto`: blue first for `caffe`, else red first, unless the "
        "other is clearly better",
    )

    @property
    def is_own(self) -> bool:
        """Whether the teacher sees other images than the student."""
        return self.size is not None or self.channels is not None

    def line(self, **changes: Any) -> str:
        """Write the line of `params.yaml` that asks for this with some changes."""
        content = {**self.model_dump(mode="json"), **changes}
        return paste("input", json.dumps(content, ensure_ascii=False).replace('"', ""))


def paste(key: str, value: str) -> str:
    """Say what is to be pasted for a key of the section `teacher`, as YAML on one line."""
    return f"paste `{key}: {value}` below `teacher:` in params.yaml"


def _input_of(value: Any) -> Any:
    return {"scaling": value} if isinstance(value, str) else value


class TeacherParams(Section):
    """The teacher: trained here, imported as a network, or a file of answers of any model."""

    source: Literal["train", "import", "logits"] = Field(
        description="`train` it here, `import` a network, or take a file of `logits` (or "
        "probabilities) from any model"
    )
    path: str = Field(
        default="models/import",
        description="file or folder of an imported teacher, or of answers: `.npz`, `.csv`, "
        "`.parquet`, or `.npy` with its `.names.txt`. It must exist, as DVC watches it; a trained "
        "teacher reads only files that its `model` names",
    )
    output: Literal["auto", "logits", "probabilities", "sigmoids"] = Field(
        default="auto",
        description="what an imported teacher or a file of answers gives: `logits`, "
        "`probabilities` that add up to 1, or `sigmoids`, which are divided by their sum; `auto` "
        "looks",
    )
    classes: Names | str | None = Field(
        default=None,
        description="an imported teacher's outputs in order: a list of names, or a file (`.json`, "
        "`.txt`) in `path`; names that the dataset lacks are left out. null: the dataset's "
        "classes",
    )
    input: Annotated[TeacherInput, BeforeValidator(_input_of)] = Field(
        default=TeacherInput(), description="how an imported teacher takes its images"
    )
    model: Annotated[Architecture, architectures] | None = Field(
        default=None, description="network of a trained teacher"
    )
    epochs: Count = Field(default=20, description="epochs of a trained teacher")
    stop_epoch: Count | None = Field(
        default=None, description="stop the trained teacher after so many of its `epochs`"
    )
    ensemble: Count = Field(
        default=1, description="trained teachers that are averaged, with seeds from `seed` upwards"
    )
    learning_rate: Positive = Field(default=1e-3, description="highest learning rate")
    seed: Index = Field(default=0, description="seed of a trained teacher")

    @model_validator(mode="after")
    def _source_is_complete(self) -> "TeacherParams":
        if self.source == "train" and self.model is None:
            raise ValueError("model is null; a trained teacher needs a network of the zoo")
        if self.source != "train" and (self.stop_epoch is not None or self.ensemble > 1):
            raise ValueError(
                "stop_epoch and ensemble are for teachers that are trained here; with source "
                f"{self.source} set stop_epoch: null and ensemble: 1, got {self.stop_epoch} and "
                f"{self.ensemble}"
            )
        if self.stop_epoch is not None and self.stop_epoch > self.epochs:
            raise ValueError(
                f"stop_epoch is {self.stop_epoch}, epochs {self.epochs}; stop at the last epoch or "
                "before it"
            )
        if self.source != "import" and (self.input.is_own or self.classes is not None):
            raise ValueError(
                "classes, input.size and input.channels are for imported teachers; with source "
                f"{self.source} set them to null (a file of answers names its columns itself)"
            )
        return self
