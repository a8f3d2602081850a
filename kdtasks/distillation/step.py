"""What a training step hands to an objective, and what an objective is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kdtasks.backend import Tensor, tf
from kdtasks.params.distillation import HintParams

# One record an epoch, as `kdtasks.training.history` writes them.
History = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Step:
    """One batch, as student and teacher see it.

    Attributes:
        exits: the student's logits at every exit, each float32 [batch, …, classes].
        labels: integers [batch, …].
        teacher_logits: float32 [batch, …, classes]; [batch, 0] where nobody teaches.
        numbers: the epoch's numbers of the objective, scalars.
        hints: for each hint of the objective the student's features and the teacher's, of one
            shape.
        exit_gradient: share of the early exits' gradient that reaches the blocks below them.
    """

    exits: Sequence[Tensor]
    labels: Tensor
    teacher_logits: Tensor
    numbers: Mapping[str, Tensor] = field(default_factory=dict)
    hints: Sequence[tuple[Tensor, Tensor]] = ()
    exit_gradient: float = 1.0

    def mean(self, losses: Sequence[Tensor]) -> Tensor:
        """Add up the losses of the exits so that the blocks below see a mean.

        With the whole gradient that is the mean over K exits. Where early exits hand on a share of
        theirs only, the sum is divided by 1 + (K − 1) · share, so that with 0 every exit, and what
        is below the last one, is trained as if it were alone.
        """
        return tf.add_n(losses) / (1.0 + (len(losses) - 1) * self.exit_gradient)


class Objective(Protocol):
    """What training minimises: a pure function of the step."""

    @property
    def hints(self) -> Sequence[HintParams]:
        """Pairs of layers whose features the step has to bring."""

    def numbers(self, *, epoch: int, epochs: int, history: History) -> dict[str, float]:
        """Return what changes from epoch to epoch, always under the same names.

        The compiled step takes these as inputs, so that it is compiled once.

        Arguments:
            epoch: number of the epoch that begins, from 1, of `epochs`.
            history: the records of the epochs before; a run that goes on from a checkpoint has
                them too.
        """

    def __call__(self, step: Step) -> Tensor:
        """Return the loss of a step, a scalar."""
