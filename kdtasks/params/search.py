"""The limits of `kdtasks search`."""

from pydantic import Field

from kdtasks.core.settings import Fraction, LatencyStatistic, OpenFraction, Positive, Section


class SearchParams(Section):
    """What `kdtasks search` looks for: the cheapest variant within all of these limits.

    All are compared with metrics of the validation split, and of this machine or `select.device`:
    accuracy and latency with early exits as `exits` has them, compute to the last exit. No stage
    depends on them.
    """

    max_size_kb: Positive | None = Field(default=None, description="file size in kB (1,000 bytes)")
    max_gzip_kb: Positive | None = Field(
        default=None, description="size of the gzipped file in kB (1,000 bytes)"
    )
    max_latency_ms: Positive | None = Field(
        default=None, description="latency of one image, in milliseconds"
    )
    latency_statistic: LatencyStatistic = "mean"
    max_macs: OpenFraction | None = Field(
        default=None, description="multiply-accumulates, as a fraction of the student's"
    )
    max_accuracy_drop: Fraction = Field(
        default=0.01,
        description="validation accuracy, or what `evaluate.metric` names, that may be lost "
        "against the float32 student, as a fraction",
    )
    minutes: Positive = Field(
        default=30.0, description="time for the trials of one call, the student not counted"
    )
