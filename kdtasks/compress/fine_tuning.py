"""Fine-tuning after a pass: the distillation goes on, on the same cached targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.backend import Tensor, tf
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.labels import TrainingSet
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.objectives.distillation import DistillationObjective, DistillParams, final_values
from kdtasks.learn.objectives.objective import Objective, make_label_loss
from kdtasks.learn.training.checkpoint import Checkpoint, files_hash
from kdtasks.learn.training.examples import Examples
from kdtasks.learn.training.loop import TrainingSchedule, train
from kdtasks.learn.training.settings import TrainingSetup


@dataclass(frozen=True)
class FineTuning:
    """What a pass needs in order to train.

    Attributes:
        examples: the teacher's targets.
        validation: images and labels.
        objective: the distillation's, as it is in its last epoch.
        schedule: of every pass, but for its epochs.
        checkpoints: name of a pass to its checkpoint.
        ignore_label: label of pixels that count in no accuracy.
    """

    examples: Examples
    validation: tuple[Any, Any]
    objective: Objective
    schedule: TrainingSchedule
    checkpoints: dict[str, Checkpoint]
    ignore_label: int | None = None

    def run(self, model: MultiExitModel, *, name: str, epochs: int) -> None:
        """Train the model in place for a number of epochs, resuming where it was interrupted.

        Weights are not averaged: masks and ranges of a pass may move while it trains, and the last
        ones would not hold for an average.

        Args:
            name: the pass; its checkpoint is used where there is one.
        """
        params = self.schedule.params
        optimizer = params.optimizer.model_copy(update={"ema_decay": None})
        params = params.model_copy(update={"optimizer": optimizer})
        train(
            model,
            self.examples,
            validation=self.validation,
            objective=self.objective,
            schedule=replace(self.schedule, params=params, epochs=epochs, continues=True),
            checkpoint=self.checkpoints.get(name),
            ignore_label=self.ignore_label,
        )

    def count_steps(self, epochs: int) -> int:
        """Number of steps that `run` takes."""
        batch_size = min(self.schedule.params.batch_size, self.examples.num_examples)
        return epochs * (self.examples.num_examples // batch_size)

    def remove_checkpoints(self) -> None:
        """Forget all states, once the variant is written."""
        for checkpoint in self.checkpoints.values():
            checkpoint.remove()


def fine_tuning_of(
    setup: TrainingSetup,
    distill: DistillParams,
    *,
    schedule: TrainingSchedule,
    dataset: PreparedDataset,
    training: TrainingSet,
    examples: Examples,
    checkpoints: dict[str, Checkpoint],
) -> FineTuning:
    """Bind settings to the fine-tuning of one variant.

    Args:
        setup: what all trainings share.
        distill: the distillation that goes on.
        schedule: of every pass, but for its epochs.
        dataset: classes, and the validation split.
        training: what students are taught.
        examples: the teacher's targets to it.
        checkpoints: as of `pass_checkpoints`.
    """
    return FineTuning(
        examples=examples,
        validation=(dataset.images("validation"), dataset.labels("validation")),
        objective=DistillationObjective(
            final_values(distill),
            make_label_loss(setup.train.loss, dataset, training, balance=setup.train.class_balance),
        ),
        schedule=replace(schedule, class_names=dataset.class_names),
        checkpoints=checkpoints,
        ignore_label=training.ignore_label,
    )


def pass_checkpoints(
    variant: str, setup: TrainingSetup, *, seed: int, inputs: Sequence[Path], paths: ProjectPaths
) -> dict[str, Checkpoint]:
    """Name the checkpoint of every pass of a variant.

    Args:
        variant: passes and number format, joined by `+`.
        setup: what all trainings share.
        seed: of the distilled student that the variant is made from.
        inputs: files that the fine-tuning depends on.
        paths: where the checkpoints go.
    """
    settings = [variant, seed, setup.identity, files_hash(inputs)]
    return {
        name: Checkpoint(paths.checkpoint(f"compress/{variant}/{name}"), settings=[name, *settings])
        for name in variant.split("+")[:-1]
    }


def preserve(network: Any) -> None:
    """Make zeros stay zero and equal weights stay equal in every kernel of a network or layer.

    The optimiser puts a kernel back right after each step: a weight of the group of equal ones
    takes the mean of the group, so a group learns as one weight.
    """
    for variable in network.trainable_variables:
        if len(variable.shape) < 2:
            continue
        values = variable.numpy()
        if values.all() and len(np.unique(values)) == values.size:
            continue  # no zeros, all different
        # What `tf.Variable(constraint=…)` sets; these variables are there already.
        variable._constraint = _projection(values)


def _projection(values: np.ndarray) -> Callable[[Tensor], Tensor]:
    """Lead a kernel to the nearest one with the zeros and the equal weights of another."""
    _, groups = np.unique(values, return_inverse=True)
    groups = groups.reshape(-1)
    # Sums by group, then means; the group of zeros is multiplied away.
    shares = tf.constant((values != 0).reshape(-1) / np.bincount(groups)[groups], tf.float32)
    indices, count = tf.constant(groups, tf.int32), int(groups.max()) + 1

    def project(kernel: Tensor) -> Tensor:
        sums = tf.math.unsorted_segment_sum(tf.reshape(kernel, [-1]) * shares, indices, count)
        return tf.reshape(tf.gather(sums, indices), values.shape)

    return project
