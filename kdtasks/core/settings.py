"""The base of every params section, and the number ranges they share."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kdtasks.core.latency import Statistic

Precision = Literal["float32", "bfloat16"]
ComputeDevice = Literal["auto", "cpu", "gpu"]
# What 32 bits hold, as NumPy's seeds do.
LARGEST = 2**32 - 1


def _within_reach(number: int) -> int:
    if number > LARGEST:
        raise ValueError(f"got a number above {LARGEST:,}, the largest that is allowed")
    return number


Count = Annotated[int, Field(ge=1), AfterValidator(_within_reach)]
Size = Annotated[int, Field(ge=1, le=8192)]  # of an image's side, of a layer
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
OpenFraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Index = Annotated[int, Field(ge=0), AfterValidator(_within_reach)]
Sizes = Annotated[tuple[Size, ...], Field(strict=False, max_length=64)]
LatencyStatistic = Annotated[
    Statistic,
    Field(
        description="latency that limits apply to: `mean` over images, percentile `p50` (median), "
        "`p90` or `p99`, or `worst`, where every image runs to the last exit"
    ),
]
Names = Annotated[tuple[str, ...], Field(strict=False)]


def count_of(fraction: float, total: int) -> int:
    """How many of `total` a fraction allows, rounded down: of 100, 0.29 allows 29.

    In binary 0.29 · 100 is a little less than 29; what decimal fractions lose is given back.
    """
    return math.floor(fraction * total + 1e-9)


class Section(BaseModel):
    """A frozen params section: unknown keys are refused, types are not guessed."""

    model_config = ConfigDict(
        defer_build=True, extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class RuntimeParams(Section):
    """What results depend on bit for bit besides seeds."""

    threads: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1,
        description="threads of every TensorFlow stage, whose results depend on it, and of "
        "`prepare`; `kdtasks run` runs as many stages at once as the cores have room for",
    )
    precision: Precision = Field(
        default="float32",
        description="arithmetic of training steps and of the teacher's answers to them; "
        "`bfloat16` is about twice as fast on CPUs with AVX512-BF16 or AMX, and TensorFloat-32 on "
        "a GPU. Weights, validation and exported models stay float32",
    )
    device: ComputeDevice = Field(
        default="auto",
        description="where TensorFlow computes: `auto` takes a GPU that it sees, `gpu` refuses to "
        "run without one, `cpu` hides it; results of a GPU and of a processor differ in their bits",
    )
