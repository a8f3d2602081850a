"""The training loop: blocks of many steps inside one compiled function."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kdtasks.core.backend import tf
from kdtasks.core.reproducibility import generator
from kdtasks.core.settings import Precision
from kdtasks.learn.losses.labels.cross_entropy import CrossEntropy
from kdtasks.learn.networks.inference import Predictor
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.objectives.hints import HintMatcher, student_blocks
from kdtasks.learn.objectives.objective import Objective
from kdtasks.learn.training.checkpoint import Checkpoint, Progress
from kdtasks.learn.training.examples import Block, Examples, Layout
from kdtasks.learn.training.monitor import EpochReporter, Guard, patience
from kdtasks.learn.training.step import Optimizer, OptimizerParams, compile_block, steps_in
from kdtasks.tasks.confusion import accuracy, confusion_matrix, mean_iou

# Steps inside one call of the compiled function: calls then cost nothing, and progress is shown
# and Ctrl-C answered every few seconds even where a step is slow.
_STEPS_PER_BLOCK = 100

# Fewer where images are large: three blocks are held at a time.
_BYTES_PER_BLOCK = 128_000_000


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the images.
        batch_size: images a step.
        learning_rate: the first rate; it falls to 0 along a cosine.
        seed: decides the order of the images and every random layer.
        memory_limit_mb: arrays beyond this are streamed from disk.
        guard_epochs: epochs in a row that may predict one class only.
        stop_epoch: the epoch to stop after, with the weights and the learning rate that the whole
            run has there; None trains all epochs.
        precision: arithmetic of the steps.
        optimizer: its kind, momentum and weight decay.
        exit_gradient: share of the early exits' gradient that reaches the blocks below them.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    memory_limit_mb: int
    guard_epochs: int
    stop_epoch: int | None = None
    precision: Precision = "float32"
    optimizer: OptimizerParams = field(default_factory=OptimizerParams)
    exit_gradient: float = 1.0

    @property
    def last_epoch(self) -> int:
        """The epoch that training ends with."""
        return self.stop_epoch or self.epochs


def train(
    model: MultiExitModel,
    examples: Examples,
    *,
    validation: tuple[Any, Any],
    objective: Objective,
    schedule: Schedule,
    checkpoint: Checkpoint | None = None,
    ignore_label: int | None = None,
) -> list[dict[str, float]]:
    """Train in place and return one record an epoch (see `history`).

    All randomness of an epoch is a function of the seed and the epoch's number, so a run that
    goes on from a checkpoint ends with the same bits as one that never stopped.

    Args:
        model: the network, trained in place.
        examples: views of the training split, drawn before or on the way.
        validation: images uint8 [N, …] and labels [N, …].
        objective: what a step minimises.
        checkpoint: where to save and look for a state; None for neither.
        ignore_label: label of pixels that count in no accuracy.

    Raises:
        TrainingError: the loss is not a number, one class only is predicted, or the features of a
            hint do not fit.
    """
    batch_size = min(schedule.batch_size, examples.num_examples)
    steps = examples.num_examples // batch_size
    if examples.megabytes() <= schedule.memory_limit_mb:
        examples = examples.in_memory()
    layout = examples.layout
    tapped = model.tapped(student_blocks(objective.hints), exit_gradient=schedule.exit_gradient)
    matcher = HintMatcher(
        objective.hints,
        student_shapes=tapped.feature_shapes,
        teacher_shapes=layout.features,
        seed=schedule.seed,
    )
    optimizer = Optimizer(
        schedule.optimizer,
        [*model.network.trainable_variables, *matcher.variables],
        learning_rate=schedule.learning_rate,
        steps=schedule.epochs * steps,
    )
    progress = checkpoint.load() if checkpoint else None
    if progress is None:
        progress = Progress(epoch=0, arrays=[], history=[])
    else:
        print(f"going on from the checkpoint after epoch {progress.epoch}")
        _set_state(model, matcher, optimizer, progress.arrays)
    run_block = compile_block(
        tapped, matcher, optimizer, objective, batch_size, layout, ignore_label=ignore_label
    )
    predictor = Predictor(model)
    guard = Guard(
        patience=min(patience(schedule.guard_epochs, steps=steps), schedule.last_epoch),
        steps=steps,
        num_classes=int(model.network.outputs[-1].shape[-1]),
        collapsed_epochs=progress.collapsed_epochs,
    )
    reporter = EpochReporter(
        first_epoch=progress.epoch, epochs=schedule.last_epoch, images=steps * batch_size
    )
    history = list(progress.history)
    for epoch in range(progress.epoch + 1, schedule.last_epoch + 1):
        _reset_random_layers(model, schedule.seed, epoch)
        order = generator("order", schedule.seed, epoch).permutation(examples.num_examples)
        blocks = examples.blocks(
            epoch=epoch,
            order=order,
            batch_size=batch_size,
            steps_per_block=_steps_per_block(batch_size, layout),
        )
        numbers = objective.numbers(epoch=epoch, epochs=schedule.epochs, history=history)
        inputs = {name: tf.constant(value, tf.float32) for name, value in numbers.items()}
        done, sums = 0, np.zeros(4)
        reporter.start_epoch(epoch)
        # Around all blocks: the thread that makes them asks the teacher in this precision too.
        with steps_in(schedule.precision):
            for block in _made_ahead(blocks):
                sums += run_block(*block, inputs).numpy()
                done += len(block.images)
                guard.check_loss(float(sums[0]), epoch=epoch)
                reporter.show_block(done * batch_size, loss=float(sums[0]) / done)
        loss, correct, agreed, counted = sums.tolist()
        record = {"epoch": epoch, "loss": loss / steps, "accuracy": correct / max(counted, 1)}
        record |= _validate(predictor, guard, validation, epoch=epoch, ignore_label=ignore_label)
        if layout.logits != (0,):
            record["teacher_agreement"] = agreed / max(counted, 1)
        record |= numbers
        history.append({name: round(value, 6) for name, value in record.items()})
        reporter.end_epoch(record)
        if checkpoint:
            state = _get_state(model, matcher, optimizer)
            checkpoint.save(Progress(epoch, state, history, guard.collapsed_epochs))
    return history


def _steps_per_block(batch_size: int, layout: Layout) -> int:
    fitting = _BYTES_PER_BLOCK // (batch_size * layout.num_bytes)
    return min(max(fitting, 1), _STEPS_PER_BLOCK)


def _made_ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """Make the next block (read it, draw its views, ask the teacher) while one trains."""
    with ThreadPoolExecutor(max_workers=1) as maker:
        coming = maker.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = maker.submit(next, blocks, None)
            yield block


def _validate(
    predictor: Predictor,
    guard: Guard,
    validation: tuple[Any, Any],
    *,
    epoch: int,
    ignore_label: int | None,
) -> dict[str, float]:
    images, labels = validation
    logits = predictor.logits(images)[-1]
    loss = float(CrossEntropy()(logits, labels, ignore_label=ignore_label))
    guard.check_loss(loss, epoch=epoch, name="validation loss")
    predicted = logits.argmax(axis=-1)
    guard.check_predictions(predicted, epoch=epoch)
    record = {
        "validation_loss": loss,
        "validation_accuracy": round(accuracy(predicted, labels, ignore_label), 6),
    }
    if np.ndim(labels) > 1:
        confusion = confusion_matrix(predicted, labels, logits.shape[-1], ignore_label)
        record["validation_mean_iou"] = mean_iou(confusion)
    return record


def _reset_random_layers(model: MultiExitModel, seed: int, epoch: int) -> None:
    """Give every random layer the generator that belongs to this epoch."""
    seeds = generator("layers", seed, epoch)
    for layer in model.network.layers:
        inner = getattr(layer, "layer", layer)  # tfmot wraps layers in others
        random = getattr(inner, "_random_generator", None)
        if random is not None and getattr(random, "_generator", None) is not None:
            random._generator.reset_from_seed(int(seeds.integers(2**31)))


def _get_state(
    model: MultiExitModel, matcher: HintMatcher, optimizer: Optimizer
) -> list[np.ndarray]:
    projections = [variable.numpy() for variable in matcher.variables]
    return [*model.network.get_weights(), *projections, *optimizer.get_state()]


def _set_state(
    model: MultiExitModel, matcher: HintMatcher, optimizer: Optimizer, arrays: list[np.ndarray]
) -> None:
    remaining = iter(arrays)
    model.network.set_weights([next(remaining) for _ in model.network.weights])
    for variable in matcher.variables:
        variable.assign(next(remaining))
    optimizer.set_state(list(remaining))
