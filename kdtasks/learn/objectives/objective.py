"""What a training step hands to an objective, and what an objective is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, tf
from kdtasks.core.errors import ParamsError, did_you_mean
from kdtasks.core.settings import Positive, Section
from kdtasks.data.labels import TrainingSet
from kdtasks.data.prepared import PreparedDataset
from kdtasks.data.stacked_rows import rows_of
from kdtasks.learn.losses.labels import LabelLoss, label_losses
from kdtasks.learn.losses.labels.cross_entropy import CrossEntropy
from kdtasks.learn.losses.labels.rows import Weighting, label_weights
from kdtasks.learn.objectives.hints import HintParams
from kdtasks.learn.schedules import History
from kdtasks.tasks.registry import task_of

# What makes up for rare classes: nothing, the loss, or the images that are drawn; or weights of the
# loss by class name.
ClassBalance = Literal["none", "weights", "sampling"] | dict[str, Positive]


class LabelLossParams(Section):
    """What labels teach: a sum of losses."""

    terms: Annotated[
        tuple[Annotated[LabelLoss, label_losses], ...], Field(strict=False, min_length=1)
    ] = Field(default=(CrossEntropy(),), description="the losses, each with its weight")


@dataclass(frozen=True)
class Step:
    """One batch, as student and teacher see it.

    Attributes:
        exits: the student's logits at every exit, each float32 [batch, …, classes].
        labels: integers [batch, …].
        teacher_logits: float32 [batch, …, classes]; [batch, 0] where nobody teaches.
        values: what the objective's `epoch_values` gave, scalars.
        hints: for each hint of the objective the student's features and the teacher's, of one
            shape.
        exit_gradient: fraction of the early exits' gradient that reaches the blocks below them.
        mixture: of images that are two in one: the labels of the smaller part, integers [batch],
            and the fraction of the image that `labels` are of, float32 [batch]; else nothing.
        weights: where labels count differently: how much, float32 [batch]; else nothing.
    """

    exits: Sequence[Tensor]
    labels: Tensor
    teacher_logits: Tensor
    values: Mapping[str, Tensor] = field(default_factory=dict)
    hints: Sequence[tuple[Tensor, Tensor]] = ()
    exit_gradient: float = 1.0
    mixture: Sequence[Tensor] = ()
    weights: Sequence[Tensor] = ()

    def mean(self, losses: Sequence[Tensor]) -> Tensor:
        """Add up the losses of the exits so that the blocks below see a mean.

        With the whole gradient that is the mean over K exits. Where early exits hand on a fraction
        of theirs only, the sum is divided by 1 + (K − 1) · fraction, so that with 0 every exit, and
        what is below the last one, is trained as if it were alone.
        """
        return tf.add_n(losses) / (1.0 + (len(losses) - 1) * self.exit_gradient)


class Objective(ABC):
    """What training minimises: a pure function of the step."""

    @property
    def hints(self) -> Sequence[HintParams]:
        """Pairs of layers whose features the step has to bring; none by default."""
        return ()

    def epoch_values(self, *, epoch: int, epochs: int, history: History) -> dict[str, float]:
        """Return what changes from epoch to epoch, always under the same names; by default nothing.

        The compiled step takes these as inputs, so that it is compiled once.

        Args:
            epoch: number of the epoch that begins, from 1, of `epochs`.
            history: the records of the epochs before; a run that resumes from a checkpoint has
                them too.
        """
        return {}

    @abstractmethod
    def __call__(self, step: Step) -> Tensor:
        """Return the loss of a step, a scalar."""


@dataclass(frozen=True)
class LabelLossSum:
    """What labels teach, bound to the labels of a dataset.

    Attributes:
        ignore_label: label of rows that count nowhere.
        terms: the losses that are added.
        class_weights: [classes]; None weighs all as 1.
    """

    ignore_label: int | None = None
    terms: tuple[LabelLoss, ...] = (CrossEntropy(),)
    class_weights: tuple[float, ...] | None = None

    def __call__(
        self,
        logits: Tensor,
        labels: Tensor,
        mixture: Sequence[Tensor] = (),
        weights: Sequence[Tensor] = (),
    ) -> Tensor:
        """Return the loss, a scalar.

        Args:
            logits: float [..., classes].
            labels: integers [...].
            mixture: as of `Step`; a row with two labels is then two rows, one with each, whose
                weights are the label's fraction and the rest.
            weights: as of `Step`, of rows without a mixture; a mask's are those of its pixels.
        """
        weighting = Weighting(ignore_label=self.ignore_label, class_weights=self.class_weights)
        if mixture:
            partners, fractions = mixture
            logits = tf.concat([logits, logits], axis=0)
            labels = tf.concat([labels, tf.cast(partners, labels.dtype)], axis=0)
            weighting["row_weights"] = tf.concat([fractions, 1.0 - fractions], axis=0)
        for of_rows in weights:
            weighting["row_weights"] = tf.reshape(of_rows, (-1, *[1] * (len(labels.shape) - 1)))
        losses = []
        for term in self.terms:
            loss = term(logits, labels, **weighting)
            losses.append(loss if term.weight == 1.0 else term.weight * loss)
        return sum(losses[1:], losses[0])

    def labelled_fraction(self, labels: Tensor, mixture: Sequence[Tensor] = ()) -> Tensor:
        """Return the fraction of a batch that is labelled; arguments as for the loss."""
        counts = label_weights(labels, ignore_label=self.ignore_label)
        if mixture:
            partners, fractions = mixture
            others = label_weights(partners, ignore_label=self.ignore_label)
            counts = fractions * counts + (1.0 - fractions) * others
        return tf.reduce_mean(counts)


@dataclass(frozen=True)
class LabelObjective(Objective):
    """The loss of the labels at every exit, equal weights.

    Attributes:
        label_loss: the loss of one exit; cross-entropy unless given.
    """

    label_loss: LabelLossSum = LabelLossSum()

    def __call__(self, step: Step) -> Tensor:
        """Return the mean over exits."""
        return step.mean(
            [
                self.label_loss(logits, step.labels, step.mixture, step.weights)
                for logits in step.exits
            ]
        )


@dataclass(frozen=True)
class HardLabelObjective(LabelObjective):
    """The loss of the labels, with the teacher's likeliest class in the place of every label."""

    def __call__(self, step: Step) -> Tensor:
        """Return the mean over exits."""
        answers = tf.argmax(step.teacher_logits, axis=-1, output_type=tf.int32)
        return super().__call__(replace(step, labels=answers, mixture=(), weights=()))


def make_label_loss(
    params: LabelLossParams,
    dataset: PreparedDataset,
    training: TrainingSet | None = None,
    *,
    balance: ClassBalance,
) -> LabelLossSum:
    """Bind params to a dataset's classes.

    Args:
        training: what is trained on; None is the training split with all its labels.
        balance: what makes up for rare classes.

    Raises:
        ParamsError: `balance` names a class that there is not, or leaves one out.
    """
    names = dataset.class_names
    weights: tuple[float, ...] | None = None
    if balance == "weights":
        counts = [dataset.counts["train"].by_class[name] for name in names]
        if training and training.has_hidden_labels:
            shown = rows_of(training.labels, training.labelled)
            counts = task_of(dataset.task).label_counts(shown, len(names)).total().tolist()
        weights = balanced_weights(counts)
    elif isinstance(balance, dict):
        if unknown := next((name for name in balance if name not in names), None):
            raise ParamsError(
                f"train.class_balance names {unknown!r}, which is no class of the dataset; "
                f"its classes: {', '.join(names)}{did_you_mean(unknown, names)}"
            )
        if missing := [name for name in names if name not in balance]:
            raise ParamsError(
                f"train.class_balance lacks {', '.join(missing)}; give every class a "
                "weight, 1.0 changes nothing"
            )
        weights = tuple(balance[name] for name in names)
    ignored = training.ignore_label if training else dataset.ignore_label
    return LabelLossSum(ignored, params.terms, weights)


def balanced_weights(counts: list[int]) -> tuple[float, ...]:
    """Weigh each class by rows / (classes · its rows), so that every class weighs the same.

    A class without a row counts for nothing, and not as one of the classes.

    Args:
        counts: rows or pixels of each class in the training split.
    """
    total, occurring = sum(counts), sum(1 for count in counts if count)
    return tuple(total / (occurring * count) if count else 0.0 for count in counts)


def backbone_first(objective: Objective, fraction: float) -> Objective:
    """Let early exits wait for a fraction of the epochs, 0 ≤ … < 1; with 0 nothing changes."""
    return BackboneFirst(objective, fraction) if fraction else objective


@dataclass(frozen=True)
class BackboneFirst(Objective):
    """An objective that sees no early exit in its first epochs.

    Attributes:
        objective: what all exits minimise together afterwards, and the last one until then.
        fraction: of the epochs, in which the last exit is trained alone.
    """

    objective: Objective
    fraction: float

    @property
    def hints(self) -> Sequence[HintParams]:
        """Those of the objective."""
        return self.objective.hints

    def epoch_values(self, *, epoch: int, epochs: int, history: History) -> dict[str, float]:
        """Return the objective's values, and `early_exits`: 0 while they wait, then 1."""
        values = self.objective.epoch_values(epoch=epoch, epochs=epochs, history=history)
        return values | {"early_exits": float(epoch > self.fraction * epochs)}

    def __call__(self, step: Step) -> Tensor:
        """Return the loss of a step."""
        return tf.cond(
            step.values["early_exits"] > 0.0,
            lambda: self.objective(step),
            lambda: self.objective(replace(step, exits=step.exits[-1:])),
        )
