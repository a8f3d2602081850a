"""Params of everything after training: exits, export, evaluation, benchmark, choice, shipping."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kdtasks.params.section import Count, Fraction, Index, OpenFraction, Positive, Section


class ExitsParams(Section):
    """How thresholds of early exits are chosen on the calibration split."""

    mode: Literal["drop", "cost", "guarantee"] = Field(
        default="drop",
        description="`drop`: least compute within `max_accuracy_drop`; `cost`: best accuracy "
        "within `max_cost`; `guarantee`: least compute with `risk` certified to be at most "
        "`epsilon` (docs/exits.md)",
    )
    max_accuracy_drop: Fraction = Field(
        default=0.01,
        description="accuracy that may be lost to early exits, as a share (0.01 = 1 %)",
    )
    max_cost: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.5, description="mean compute allowed, as a share of the whole network's MACs"
    )
    risk: Literal["consistency", "accuracy_gap"] = Field(
        default="consistency",
        description="what `guarantee` bounds: `consistency`: share of pictures with another "
        "answer than the last exit's; `accuracy_gap`: accuracy lost against the last exit",
    )
    epsilon: OpenFraction = Field(
        default=0.02, description="bound of `guarantee` on the mean risk, as a share (0.02 = 2 %)"
    )
    delta: OpenFraction = Field(
        default=0.1, description="probability with which `guarantee` may break its bound"
    )
    seed: Index = Field(
        default=0, description="seed of the halves that `guarantee` splits the rows in"
    )
    score: Literal["max_probability", "margin", "entropy", "energy"] = Field(
        default="max_probability", description="confidence of an exit, after temperature scaling"
    )
    grid: Annotated[int, Field(ge=2, le=1001)] = Field(
        default=201, description="thresholds tried for each exit"
    )


class ExportParams(Section):
    """What is written into every bundle besides the model."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)] = Field(
        default="student",
        description="name of the model: up to 64 of lower case, digits, `.`, `_`, `-`",
    )
    self_test: Annotated[int, Field(ge=0, le=100)] = Field(
        default=6,
        description="pictures of the calibration split that travel in the bundle, for devices to "
        "check themselves with; 0: noise, where no picture may leave the house",
    )


class EvaluateParams(Section):
    """Intervals on the test split."""

    confidence: OpenFraction = Field(default=0.95, description="level of every interval")
    bootstrap_samples: Count = Field(default=2000, description="resamples of every bootstrap")
    seed: Index = Field(default=0, description="seed of the resampling")


class BenchmarkParams(Section):
    """How latency is measured on this machine."""

    threads: Count = Field(default=1, description="threads of the LiteRT interpreter")
    runs: Count = Field(default=300, description="single-picture predictions that are timed")
    warmup: Index = Field(default=30, description="predictions before that, not timed")


class SelectParams(Section):
    """Limits on the shipped model; the best variant within them is named by the report."""

    max_size_kb: Positive | None = Field(default=None, description="file size in kB (1,000 bytes)")
    max_latency_ms: Positive | None = Field(
        default=None, description="median latency of one picture, in milliseconds"
    )
    max_accuracy_drop: Fraction | None = Field(
        default=0.01,
        description="validation accuracy that may be lost against the uncompressed student, as a "
        "share",
    )
    objective: Literal["size", "latency", "accuracy"] = Field(
        default="size", description="what is made best among the variants within the limits"
    )

    @model_validator(mode="after")
    def _has_a_limit(self) -> "SelectParams":
        if self.objective == "size" and self.max_accuracy_drop is None:
            raise ValueError("objective size needs max_accuracy_drop, or the smallest always wins")
        return self


class StoreParams(Section):
    """Where finished bundles are published; no stage depends on it."""

    address: str | None = Field(
        default=None,
        description="`s3://bucket/prefix`, `file:///folder` or the path of a folder, seen from the "
        "project; `--store` and `KDTASKS_STORE` go before it",
    )
    keep: Count = Field(
        default=10,
        description="newest versions of each model that `kdtasks gc` leaves, besides those that "
        "an alias needs",
    )


class GateParams(Section):
    """What a new model must show before it takes production's place; no stage depends on it.

    In doubt production stays. Sizes are those of `model.tflite`; latencies of both models are
    measured in one run, picture by picture in turn, with the threads and runs of `benchmark`.
    """

    method: Literal["mcnemar", "bootstrap"] = Field(
        default="mcnemar",
        description="`mcnemar`: McNemar's exact test and Tango's score bound; `bootstrap`: a "
        "percentile bootstrap over test pictures, with `evaluate.bootstrap_samples`",
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = Field(
        default=0.95, description="level of every one-sided bound that a limit is held against"
    )
    max_accuracy_drop: Fraction = Field(
        default=0.01,
        description="test accuracy that the lower bound may lie below production's, as a share; "
        "0 asks for proof of a gain",
    )
    min_accuracy: Fraction | None = Field(
        default=None,
        description="test accuracy that the candidate's own lower bound must reach, as a share; "
        "holds small drops back that would add up over many nights",
    )
    min_test_rows: Count = Field(
        default=200, description="test pictures below which production stays"
    )
    max_size_kb: Positive | None = Field(default=None, description="file size in kB (1,000 bytes)")
    max_size_growth: Annotated[float, Field(ge=0.0)] | None = Field(
        default=0.1, description="growth over production's size, as a share (0.1 = 10 % more)"
    )
    max_latency_ms: Positive | None = Field(
        default=None, description="median latency of one picture, in milliseconds"
    )
    max_latency_growth: Annotated[float, Field(ge=0.0)] | None = Field(
        default=0.25, description="growth over production's median latency, as a share"
    )


class DriftParams(Section):
    """When telemetry of devices tells that their pictures have changed."""

    max_index: Positive = Field(
        default=0.2,
        description="population stability index beyond which exits or confidences have drifted",
    )
    min_answers: Count = Field(
        default=500, description="answers in the telemetry below which nothing is said"
    )
