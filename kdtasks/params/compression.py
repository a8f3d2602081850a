"""Params of the variants that are built of the student, and of every pass."""

from typing import Annotated

from pydantic import Field

from kdtasks.params.section import Count, Names, Positive, Section


class MagnitudeParams(Section):
    """tfmot magnitude pruning: the smallest weights become zero; smaller when compressed."""

    sparsity: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        default=0.8, description="share of zeros in every kernel at the end"
    )
    epochs: Count = Field(default=4, description="epochs of pruning and fine-tuning")


class FiltersParams(Section):
    """Structured pruning: whole filters are removed and the network is rebuilt smaller."""

    ratio: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        default=0.5, description="share of the filters removed from every prunable layer"
    )
    epochs: Count = Field(default=8, description="epochs of fine-tuning after the removal")


class CompressParams(Section):
    """The variants of the student that are built, and the settings of each pass."""

    variants: Names = Field(
        min_length=1,
        description="each a chain of passes (`filters`, `magnitude`, in this order) and a number "
        "format (`float32`, `float16`, `dynamic_int8`, `int8`), joined by `+`: `filters+int8`",
    )
    magnitude: MagnitudeParams = Field(default=MagnitudeParams(), description="pass `magnitude`")
    filters: FiltersParams = Field(default=FiltersParams(), description="pass `filters`")
    learning_rate: Positive = Field(
        default=5e-4, description="Adam's first rate in every fine-tuning"
    )
    calibration_images: Count = Field(
        default=200, description="calibration pictures that set int8 ranges, at most"
    )
