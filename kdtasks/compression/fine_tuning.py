"""Fine-tuning after a pass: the distillation goes on, on the same cached targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdtasks.datasets.prepared import PreparedDataset
from kdtasks.distillation.label_loss import label_loss_of
from kdtasks.distillation.objective import DistillationObjective
from kdtasks.distillation.schedules import settled
from kdtasks.distillation.step import Objective
from kdtasks.models.multi_exit import MultiExitModel
from kdtasks.params.distillation import DistillParams
from kdtasks.params.training import TrainingSetup
from kdtasks.training.checkpoint import Checkpoint, files_hash
from kdtasks.training.examples import Examples
from kdtasks.training.loop import Schedule, train
from kdtasks.training.run import CHECKPOINTS, schedule_of


@dataclass(frozen=True)
class FineTuning:
    """What a pass needs in order to train.

    Attributes:
        examples: the teacher's targets.
        validation: images and labels.
        objective: the distillation's, as it is in its last epoch.
        schedule: from a number of epochs to the schedule.
        checkpoints: name of a pass to its checkpoint.
        ignore_label: label of pixels that count in no accuracy.
    """

    examples: Examples
    validation: tuple[Any, Any]
    objective: Objective
    schedule: Callable[[int], Schedule]
    checkpoints: dict[str, Checkpoint]
    ignore_label: int | None = None

    def run(self, model: MultiExitModel, *, name: str, epochs: int) -> None:
        """Train the model in place for a number of epochs, resuming where it was interrupted.

        Arguments:
            name: the pass; its checkpoint is used where there is one.
        """
        train(
            model,
            self.examples,
            validation=self.validation,
            objective=self.objective,
            schedule=self.schedule(epochs),
            checkpoint=self.checkpoints.get(name),
            ignore_label=self.ignore_label,
        )

    def count_steps(self, epochs: int) -> int:
        """Number of steps that `run` takes."""
        batch_size = min(self.schedule(epochs).batch_size, self.examples.num_examples)
        return epochs * (self.examples.num_examples // batch_size)

    def remove_checkpoints(self) -> None:
        """Forget all states, once the variant is written."""
        for checkpoint in self.checkpoints.values():
            checkpoint.remove()


def fine_tuning_of(
    setup: TrainingSetup,
    distill: DistillParams,
    *,
    learning_rate: float,
    variant: str,
    seed: int,
    dataset: PreparedDataset,
    examples: Examples,
    inputs: Sequence[Path],
) -> FineTuning:
    """Bind settings to the fine-tuning of one variant.

    Arguments:
        learning_rate: the first one.
        inputs: files that the fine-tuning depends on.
    """
    passes = variant.split("+")[:-1]
    settings = [variant, seed, setup.identity, files_hash(inputs)]
    return FineTuning(
        examples=examples,
        validation=(dataset.images("validation"), dataset.labels("validation")),
        objective=DistillationObjective(
            settled(distill),
            dataset.ignore_label,
            label_loss_of(setup.train.loss, dataset),
        ),
        schedule=lambda epochs: schedule_of(
            setup, epochs=epochs, learning_rate=learning_rate, seed=seed
        ),
        checkpoints={
            name: Checkpoint(
                CHECKPOINTS / f"compress-{variant}-{name}.npz", settings=[name, *settings]
            )
            for name in passes
        },
        ignore_label=dataset.ignore_label,
    )
