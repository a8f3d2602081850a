"""Params of `distill`: losses, their weights and schedules, hints, and who teaches the exits."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from kdtasks.params.section import Count, Fraction, Positive, Section

LossName = Literal["kd", "standardized_kd", "dkd", "standardized_dkd", "dist", "channelwise_kd"]

_SCHEDULE = (
    "course from `start` in the first epoch to `end` in the last, or, with `gap`, to `end` where "
    "the student is as accurate on the training pictures as the teacher"
)


class FractionSchedule(Section):
    """A share that changes from epoch to epoch."""

    schedule: Literal["linear", "cosine", "gap"] = Field(description=_SCHEDULE)
    start: Fraction = Field(description="value of the first epoch")
    end: Fraction = Field(description="value at the end")


class PositiveSchedule(Section):
    """A positive number that changes from epoch to epoch."""

    schedule: Literal["linear", "cosine", "gap"] = Field(description=_SCHEDULE)
    start: Positive = Field(description="value of the first epoch")
    end: Positive = Field(description="value at the end")


def _kind(value: Any) -> str:
    return "schedule" if isinstance(value, dict | Section) else "constant"


ScheduledFraction = Annotated[
    Annotated[Fraction, Tag("constant")] | Annotated[FractionSchedule, Tag("schedule")],
    Discriminator(_kind),
]
ScheduledPositive = Annotated[
    Annotated[Positive, Tag("constant")] | Annotated[PositiveSchedule, Tag("schedule")],
    Discriminator(_kind),
]


class DkdParams(Section):
    """The two parts of `dkd`, and its warm-up."""

    target_weight: Annotated[float, Field(ge=0.0)] = Field(
        default=1.0, description="weight of the part about the true class (α of the paper)"
    )
    others_weight: Annotated[float, Field(ge=0.0)] = Field(
        default=8.0, description="weight of the part about all other classes (β of the paper)"
    )
    warm_up: Fraction = Field(
        default=0.08,
        description="share of the epochs over which the loss grows to its full weight "
        "(the paper: 20 of 240)",
    )


class HintParams(Section):
    """A pair of layers: the student's features are drawn to the teacher's.

    The loss is weight · mean squared difference, after a trained 1×1 convolution where the channels
    differ, and an average over blocks of the larger grid where the sizes do.
    """

    student: str = Field(description="block of the student, named as in `student.exits`")
    teacher: str = Field(description="block of a teacher of the zoo, or layer of any teacher")
    weight: Positive = Field(description="weight of the hint, beside labels and teacher")


class ExitTeachingParams(Section):
    """Who teaches the early exits."""

    teacher: bool = Field(
        default=True, description="the teacher does; without it they learn from the labels alone"
    )
    last_exit: Annotated[float, Field(ge=0.0)] = Field(
        default=0.0,
        description="weight of what they learn from the last exit besides: T²·KL, by which the "
        "last exit is not changed",
    )


class DistillParams(Section):
    """How the student learns from the teacher; `epochs` is also the budget of the scratch student.

    The loss of every exit is alpha · cross-entropy + (1 − alpha) · distillation loss.
    """

    alpha: ScheduledFraction = Field(
        default=0.1, description="weight of the labels; the teacher has the rest"
    )
    temperature: ScheduledPositive = Field(
        default=4.0, description="softens teacher and student alike"
    )
    loss: LossName = Field(
        default="kd",
        description="`kd`: T²·KL(teacher ‖ student); `standardized_…`: of logits with mean 0 and "
        "standard deviation 1; `dkd`: true class and others apart; `dist`: correlations; "
        "`channelwise_kd`: where in the picture each class is (segmentation only)",
    )
    dkd: DkdParams = Field(default=DkdParams(), description="parts of the losses `…dkd`")
    exits: ExitTeachingParams = Field(
        default=ExitTeachingParams(), description="who teaches the early exits"
    )
    hints: Annotated[tuple[HintParams, ...], Field(strict=False)] = Field(
        default=(), description="pairs of layers whose features are compared as well"
    )
    epochs: Count = Field(default=30, description="epochs of every student")
