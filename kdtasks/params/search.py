"""The limits of `kdtasks search`, and the students that it may try."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kdtasks.core.settings import (
    Count,
    Fraction,
    LatencyStatistic,
    OpenFraction,
    Positive,
    Section,
    Size,
)


class StudentSpace(Section):
    """The students that `space: student` chooses among, and what their front is drawn against.

    Width and depth change the settings that the class of `student.model` names as such.
    """

    widths: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)] = Field(
        default=(0.5, 0.75, 1.0, 1.25, 1.5), description="factors of the student's filters"
    )
    depths: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] = Field(
        default=(-1, 0, 1),
        description="how many layers each block, or blocks each stage, has more than the student; "
        "fewer if negative, but at least one",
    )
    image_sizes: Annotated[
        tuple[Annotated[tuple[Size, Size], Field(strict=False)], ...], Field(strict=False)
    ] = Field(
        default=(),
        description="heights and widths in place of `data.image_size`; for each but the project's "
        "own, images are prepared, and a teacher of `source: train` is trained, anew",
    )
    against: Literal["bytes", "latency_ms", "macs"] = Field(
        default="bytes", description="cost that accuracy is weighed against"
    )
    trials: Count = Field(
        default=8, description="students tried of each third, by cost, of those within the limits"
    )


class SearchParams(Section):
    """What `kdtasks search` looks for: the cheapest variant, or student, within all these limits.

    Variants are compared with metrics of the validation split, and of this machine or
    `select.device`: accuracy and latency with early exits as `exits` has them, compute to the last
    exit. Students are held against all limits but the accuracy's before they train, as int8 files
    whose latency is that to the last exit. No stage depends on them.
    """

    space: Literal["compress", "student"] = Field(
        default="compress",
        description="what is tried: variants of the student, or students of other sizes",
    )
    max_size_kb: Positive | None = Field(default=None, description="file size in kB (1,000 bytes)")
    max_gzip_kb: Positive | None = Field(
        default=None, description="size of the gzipped file in kB (1,000 bytes)"
    )
    max_arena_kb: Positive | None = Field(
        default=None,
        description="of students: memory that TensorFlow Lite Micro needs, in kB (1,000 bytes)",
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
        "against the float32 student, or the most accurate one tried, as a fraction",
    )
    minutes: Positive = Field(
        default=30.0, description="time for the trials of one call, the student not counted"
    )
    student: StudentSpace = Field(
        default=StudentSpace(), description="the students of `space: student`"
    )

    @model_validator(mode="after")
    def _arena_is_of_students(self) -> Self:
        if self.max_arena_kb is not None and self.space != "student":
            raise ValueError(
                f"max_arena_kb is {self.max_arena_kb:g}, space {self.space}; only students are "
                "held against it: set it to null, or space to student"
            )
        return self
