"""Variant names: passes joined by `+`, ending in the number format of the exported file."""

from typing import Literal, NamedTuple

from pydantic import Field

from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.passes.cluster import ClusterParams
from kdtasks.compress.passes.filters import FiltersParams
from kdtasks.compress.passes.magnitude import MagnitudeParams
from kdtasks.compress.passes.qat import QatParams
from kdtasks.compress.passes.space_to_depth import SpaceToDepthParams
from kdtasks.core.errors import did_you_mean
from kdtasks.core.settings import Count, Fraction, Names, OpenFraction, Positive, Section

# In the order in which they may be chained: each keeps what those before it made of the network,
# and none could keep its own from those after it.
TRAININGS = ("filters", "magnitude", "cluster", "qat")

# Those that change how the file computes, and no weight.
REWRITINGS = ("space_to_depth",)
PASSES = TRAININGS + REWRITINGS
FORMATS = number_formats.names()


class Variant(NamedTuple):
    """A variant taken apart."""

    passes: tuple[str, ...]
    number_format: str

    @property
    def trainings(self) -> tuple[str, ...]:
        """The passes that train the network, in their order."""
        return tuple(name for name in self.passes if name in TRAININGS)


def check_variant(name: str) -> Variant:
    """Take a variant's name apart.

    Raises:
        ValueError: a part is unknown or stands in the wrong place; the message lists the choices.
    """
    *passes, number_format = name.split("+")
    for part in passes:
        if part not in PASSES:
            raise ValueError(
                f"compress.variants: {name!r} has {part!r} where a pass is expected; "
                f"passes: {', '.join(PASSES)}{did_you_mean(part, PASSES)}"
            )
    if number_format not in FORMATS:
        raise ValueError(
            f"compress.variants: {name!r} ends in {number_format!r}; "
            f"it must end in one of: {', '.join(FORMATS)}{did_you_mean(number_format, FORMATS)}"
        )
    if len(set(passes)) != len(passes):
        raise ValueError(f"compress.variants: {name!r} names a pass twice")
    if sorted(passes, key=PASSES.index) != passes:
        raise ValueError(
            f"compress.variants: {name!r} has its passes in the wrong order; give them in the "
            f"order {', '.join(PASSES)}"
        )
    if "qat" in passes and number_format != "int8":
        raise ValueError(
            f"compress.variants: {name!r} trains for int8 and ends in {number_format}; "
            "a variant with qat must end in int8"
        )
    if "space_to_depth" in passes and number_format not in ("int8", "dynamic_int8"):
        raise ValueError(
            f"compress.variants: {name!r} fills up kernels of int8 and ends in {number_format}; "
            "a variant with space_to_depth must end in int8 or dynamic_int8"
        )
    return Variant(tuple(passes), number_format)


class TargetParams(Section):
    """What `kdtasks target` looks for: the cheapest variant within all of these limits.

    All are held against figures of the validation split and of this machine, to the last exit.
    No stage depends on them.
    """

    max_size_kb: Positive | None = Field(default=None, description="file size in kB (1,000 bytes)")
    max_gzip_kb: Positive | None = Field(
        default=None, description="size of the gzipped file in kB (1,000 bytes)"
    )
    max_latency_ms: Positive | None = Field(
        default=None, description="median of one picture through all exits, in milliseconds"
    )
    max_macs: OpenFraction | None = Field(
        default=None, description="multiply-accumulates, as a share of the student's"
    )
    max_accuracy_drop: Fraction = Field(
        default=0.01,
        description="validation accuracy, of masks mean IoU, that may be lost against the float32 "
        "student, as a share",
    )
    minutes: Positive = Field(
        default=30.0, description="time for the trials of one call, the student not counted"
    )


class CompressParams(Section):
    """The variants of the student that are built, and the settings of each pass."""

    variants: Names = Field(
        min_length=1,
        description="each a chain of passes (`filters`, `magnitude`, `cluster`, `qat`, "
        "`space_to_depth`, in this order) and a number format (`float32`, `float16`, "
        "`dynamic_int8`, `int8`, `int16x8`), joined by `+`: `filters+int8`",
    )
    magnitude: MagnitudeParams = Field(default=MagnitudeParams(), description="pass `magnitude`")
    filters: FiltersParams = Field(default=FiltersParams(), description="pass `filters`")
    cluster: ClusterParams = Field(default=ClusterParams(), description="pass `cluster`")
    qat: QatParams = Field(default=QatParams(), description="pass `qat`")
    space_to_depth: SpaceToDepthParams = Field(
        default=SpaceToDepthParams(), description="pass `space_to_depth`"
    )
    target: TargetParams = Field(default=TargetParams(), description="limits of `kdtasks target`")
    learning_rate: Positive = Field(
        default=5e-4, description="first learning rate of every fine-tuning"
    )
    calibration_images: Count = Field(
        default=200, description="calibration pictures that set the ranges of int8 and int16x8"
    )
    input: Literal["native", "uint8"] = Field(
        default="native",
        description="numbers that the file takes pictures in: `native`: those it computes in; "
        "`uint8`: the raw pixels, for devices that cannot convert them",
    )
