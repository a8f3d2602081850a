"""Train the backbone by its last exit alone at first, then all exits together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kdtasks.backend import Tensor, tf
from kdtasks.distillation.step import History, Objective, Step
from kdtasks.params.distillation import HintParams


def backbone_first(objective: Objective, share: float) -> Objective:
    """Let early exits wait for a share of the epochs, 0 ≤ share < 1; with 0 nothing changes."""
    return BackboneFirst(objective, share) if share else objective


@dataclass(frozen=True)
class BackboneFirst:
    """An objective that sees no early exit in its first epochs.

    Attributes:
        objective: what all exits minimise together afterwards, and the last one until then.
        share: of the epochs, in which the last exit is trained alone.
    """

    objective: Objective
    share: float

    @property
    def hints(self) -> Sequence[HintParams]:
        """Those of the objective."""
        return self.objective.hints

    def numbers(self, *, epoch: int, epochs: int, history: History) -> dict[str, float]:
        """Return the objective's numbers, and `early_exits`: 0 while they wait, then 1."""
        numbers = self.objective.numbers(epoch=epoch, epochs=epochs, history=history)
        return numbers | {"early_exits": float(epoch > self.share * epochs)}

    def __call__(self, step: Step) -> Tensor:
        """Return the loss of a step."""
        return tf.cond(
            step.numbers["early_exits"] > 0.0,
            lambda: self.objective(step),
            lambda: self.objective(replace(step, exits=step.exits[-1:])),
        )
