"""What a distilled student minimises: labels, teacher, its own last exit, and hints."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, tf
from kdtasks.core.settings import Count, Positive, Section
from kdtasks.learn.losses.distillation import DistillationLoss, distillation_losses
from kdtasks.learn.losses.distillation.kd import KD
from kdtasks.learn.objectives.hints import HintParams
from kdtasks.learn.objectives.objective import LabelLossSum, Objective, Step
from kdtasks.learn.schedules import (
    History,
    ScheduledFraction,
    ScheduledPositive,
    final_value,
    value_at,
)

# What a student may be taught with besides (`kdtasks.learn.arms`).
FurtherArm = Literal["soft_labelled", "hard", "all_labels"]


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
    """How the student learns from the teacher; `epochs` is also the budget of the one alone.

    The loss of every exit is a · cross-entropy + (1 − a) · distillation loss, a being alpha times
    the fraction of a batch that is labelled: the first mean is over labels, the second over all.
    """

    alpha: ScheduledFraction = Field(
        default=0.1,
        description="weight of the labels, where there are any; the teacher has the rest",
    )
    temperature: ScheduledPositive = Field(
        default=4.0, description="softens teacher and student alike"
    )
    loss: Annotated[DistillationLoss, distillation_losses] = Field(
        default=KD(), description="how far the student is from the teacher"
    )
    exits: ExitTeachingParams = Field(
        default=ExitTeachingParams(), description="who teaches the early exits"
    )
    hints: Annotated[tuple[HintParams, ...], Field(strict=False)] = Field(
        default=(), description="pairs of layers whose features are compared as well"
    )
    learning_rate: Positive | None = Field(
        default=None,
        description="highest learning rate of students with a teacher; null: that of `student`",
    )
    epochs: Count = Field(
        default=30,
        description="epochs of every student; of those without a teacher unless `student.epochs` "
        "says otherwise",
    )
    arms: Annotated[tuple[FurtherArm, ...], Field(strict=False)] = Field(
        default=(),
        description="further students to compare: `soft_labelled`: distilled on labelled images "
        "only; `hard`: the teacher's likeliest class as every label; `all_labels`: no teacher, "
        "but the labels that `data.train_labels` hides",
    )


def final_values(params: DistillParams) -> DistillParams:
    """Return the distillation as it is at the end: for fine-tuning, which starts there.

    Schedules stand at their last value, the warm-up is over, and hints, whose projections are
    not kept with the student, are dropped.
    """
    final = {name: final_value(getattr(params, name)) for name in ("alpha", "temperature")}
    loss = params.loss.model_copy(update={"warm_up": 0.0})
    return params.model_copy(update={**final, "loss": loss, "hints": ()})


@dataclass(frozen=True)
class DistillationObjective(Objective):
    """The mean over exits of alpha · label loss + (1 − alpha) · distillation loss, and hints.

    An early exit has weight · T²·KL(last exit ‖ early exit) besides where `exits.last_exit` gives
    it one, by which the last exit is not changed; without `exits.teacher` it learns from the
    labels with weight 1. Each hint adds weight · mean squared difference of features.

    Attributes:
        label_loss: the loss of the labels; at the label that it ignores the teacher alone teaches.
    """

    params: DistillParams
    label_loss: LabelLossSum = field(default_factory=LabelLossSum)

    @property
    def hints(self) -> Sequence[HintParams]:
        """Pairs of layers whose features are compared."""
        return self.params.hints

    def epoch_values(self, *, epoch: int, epochs: int, history: History) -> dict[str, float]:
        """Return `alpha`, `temperature` and, for a loss that has one, the `warm_up` reached."""
        values = {
            name: value_at(getattr(self.params, name), epoch=epoch, epochs=epochs, history=history)
            for name in ("alpha", "temperature")
        }
        if warm_up := self.params.loss.warm_up:
            # min(epoch / warm-up epochs, 1), as in the code of DKD's authors
            values["warm_up"] = min(1.0, epoch / (warm_up * epochs))
        return values

    def __call__(self, step: Step) -> Tensor:
        """Return the loss of a step."""
        last = len(step.exits) - 1
        losses = [self._exit_loss(step, index, is_last=index == last) for index in range(last + 1)]
        total = step.mean(losses)
        for hint, (student, teacher) in zip(self.hints, step.hints, strict=True):
            total += hint.weight * tf.reduce_mean((student - teacher) ** 2)
        return total

    def _exit_loss(self, step: Step, index: int, *, is_last: bool) -> Tensor:
        alpha, temperature = step.values["alpha"], step.values["temperature"]
        teaching, logits = self.params.exits, step.exits[index]
        loss = self.label_loss(logits, step.labels, step.mixture, step.weights)
        if is_last or teaching.teacher:
            labels, ignored = tf.cast(step.labels, tf.int32), self.label_loss.ignore_label
            if ignored is not None:
                labels = tf.where(tf.equal(labels, ignored), -1, labels)
                # the loss is a mean over labels: weighted so, each counts alpha among all rows
                alpha *= self.label_loss.labelled_fraction(step.labels, step.mixture)
            taught = self.params.loss(logits, step.teacher_logits, temperature, labels)
            weight = (1.0 - alpha) * step.values.get("warm_up", 1.0)
            loss = alpha * loss + weight * taught
        if not is_last and teaching.last_exit:
            last_exit = tf.stop_gradient(step.exits[-1])
            loss += teaching.last_exit * KD()(logits, last_exit, temperature, step.labels)
        return loss
