"""Params of the variants that are built of the student, and of every pass."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kdtasks.errors import did_you_mean
from kdtasks.params.section import Count, Fraction, Names, OpenFraction, Positive, Section

GOALS = ("macs", "latency_ms", "size_kb")


class MagnitudeParams(Section):
    """tfmot magnitude pruning: the smallest weights become zero; smaller when compressed."""

    sparsity: OpenFraction = Field(
        default=0.8, description="share of zeros at the end in every kernel but depthwise ones"
    )
    pattern: Literal["any", "two_of_four"] = Field(
        default="any",
        description="`any`: the smallest weights of a kernel; `two_of_four`: the smaller two of "
        "every four weights of neighbouring input channels (2:4), for hardware that uses it; "
        "`sparsity` is 0.5 then, and tfmot chooses at the first step, whatever the schedule",
    )
    schedule: Literal["polynomial", "constant"] = Field(
        default="polynomial",
        description="`polynomial`: the sparsity grows by a cubic from `begin` to `end`; "
        "`constant`: it is there from `begin` on, and which weights are zero is settled at `end`",
    )
    begin: Fraction = Field(default=0.0, description="start of pruning, as a share of all steps")
    end: Fraction = Field(
        default=0.6,
        description="end of pruning, as a share of all steps; after it the survivors settle",
    )
    frequency: Count = Field(
        default=20, description="steps between two looks at which weights are the smallest"
    )
    epochs: Count = Field(default=4, description="epochs of pruning and fine-tuning")

    @model_validator(mode="after")
    def _is_possible(self) -> "MagnitudeParams":
        if self.begin >= self.end:
            raise ValueError(f"begin is {self.begin}, end {self.end}; begin must come first")
        if self.pattern == "two_of_four" and self.sparsity != 0.5:
            raise ValueError(
                f"pattern two_of_four zeroes half of the weights, sparsity is {self.sparsity}; "
                "give sparsity 0.5"
            )
        return self


class FiltersParams(Section):
    """Structured pruning: whole filters are removed and the network is rebuilt smaller."""

    rank: Literal["l1", "batch_norm_scale", "taylor"] = Field(
        default="l1",
        description="which filters matter least: `l1`: those with the smallest weights; "
        "`batch_norm_scale`: those that batch normalisation scales down most; layers without it "
        "stay whole; `taylor`: those without which the labels' "
        "loss would change least",
    )
    scope: Literal["layer", "global"] = Field(
        default="layer",
        description="`layer`: every layer loses `ratio` of its filters; `global`: all compete, "
        "and the network loses `ratio` of them; every layer keeps at least one",
    )
    ratio: OpenFraction = Field(default=0.5, description="share of the filters removed")
    ratios: dict[str, Annotated[float, Field(ge=0.0, lt=1.0)]] = Field(
        default={},
        description="layers with a share of their own, by name; 0 keeps a layer whole",
    )
    target: dict[str, Positive] | None = Field(
        default=None,
        description="instead of `ratio` what it is searched for by measuring, one or more of: "
        "`macs`, as a share of the student's; `size_kb` of the shipped file; `latency_ms`, "
        "median of one picture through all exits on this machine, on which the file then depends",
    )
    epochs: Count = Field(default=8, description="epochs of fine-tuning after the removal")

    @model_validator(mode="after")
    def _targets_are_known(self) -> "FiltersParams":
        unknown = [name for name in self.target or {} if name not in GOALS]
        if self.target is not None and (unknown or not self.target):
            named = ", ".join(unknown) or "nothing"
            raise ValueError(
                f"target names {named}; give one or more of {', '.join(GOALS)}"
                f"{did_you_mean(named, GOALS)}"
            )
        if self.target and self.target.get("macs", 0.0) >= 1.0:
            raise ValueError(
                f"target.macs is {self.target['macs']}, a share of the student's; give less than 1"
            )
        return self


class ClusterParams(Section):
    """tfmot clustering: kernels but depthwise ones get few different values; smaller compressed."""

    clusters: Annotated[int, Field(ge=3, le=256)] = Field(
        default=16, description="different values in a kernel, zero included"
    )
    epochs: Count = Field(default=4, description="epochs of fine-tuning with shared values")


class QatParams(Section):
    """Quantisation-aware training by tfmot: the weights learn to live with int8."""

    epochs: Count = Field(default=4, description="epochs of training with int8 imitated")


class SpaceToDepthParams(Section):
    """Convolutions over few channels work on blocks of 2×2 pixels, so that int8 kernels are full.

    What the file computes stays. It is faster where a processor has matrix units (AMX), and larger.
    """

    max_channels: Count = Field(
        default=4,
        description="convolutions over more channels stay as they are; 4: the first one only. "
        "Each that is rewritten has about 2 to 16 times the weights, most of them zero",
    )


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
