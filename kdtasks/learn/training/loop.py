"""The training loop: blocks of many steps inside one compiled function."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdtasks.core.backend import keras, tf
from kdtasks.core.events import span, warn
from kdtasks.core.reproducibility import generator
from kdtasks.core.settings import Precision
from kdtasks.learn.networks.inference import ForwardPass
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.objectives.hints import HintMatcher, student_blocks
from kdtasks.learn.objectives.objective import LabelLossSum, Objective
from kdtasks.learn.schedules import History
from kdtasks.learn.training.checkpoint import Checkpoint, TrainingState
from kdtasks.learn.training.examples import Block, Examples
from kdtasks.learn.training.monitor import (
    CollapseGuard,
    EpochReporter,
    best_epoch,
    label_counts,
    patience,
    stalled,
)
from kdtasks.learn.training.order import order_of
from kdtasks.learn.training.settings import TrainParams
from kdtasks.learn.training.step import Optimizer, compile_block, precision_scope
from kdtasks.tasks.confusion import (
    accuracy_of,
    by_class_scores,
    confusion_matrix,
    counted,
    mean_iou,
)
from kdtasks.tasks.task import MetricKey

# Steps inside one call of the compiled function: calls then cost nothing, and progress is shown
# and Ctrl-C answered every few seconds even where a step is slow.
_STEPS_PER_BLOCK = 100

# Fewer where images are large: three blocks are held at a time.
_BYTES_PER_BLOCK = 128_000_000


@dataclass(frozen=True)
class TrainingSchedule:
    """How long and how fast to train.

    Attributes:
        params: what all trainings share.
        epochs: passes over the images.
        learning_rate: the highest rate.
        seed: decides the order of the images and every random layer.
        stop_epoch: the epoch to stop after, with the weights and the learning rate that the whole
            run has there; None trains all epochs.
        precision: arithmetic of the steps.
        keeps_best: key of the metric by which the epoch is chosen, on validation, whose weights the
            model ends with; None keeps the last one's.
        class_names: what messages call the classes; () numbers them.
        total_epochs: epochs of the training that this is a phase of, so that a short phase is not
            taken for one that has broken down; 0 where it is none.
        earlier_history: the records of the phases before, after which values of the objective, the
            order of the images and their views go on; the learning rate begins anew.
        continues: whether the model is trained already, so that its loss need not fall.
        on_epoch: is shown the records of all epochs so far after each, of two phases of the last
            one's; what it raises ends the training.
    """

    params: TrainParams
    epochs: int
    learning_rate: float
    seed: int
    stop_epoch: int | None = None
    precision: Precision = "float32"
    keeps_best: MetricKey | None = None
    class_names: tuple[str, ...] = ()
    total_epochs: int = 0
    earlier_history: History = ()
    continues: bool = False
    on_epoch: Callable[[History], None] | None = None

    @property
    def last_epoch(self) -> int:
        """The epoch that training ends with."""
        return self.stop_epoch or self.epochs

    @property
    def is_complete(self) -> bool:
        """Whether training goes on to the last of all epochs."""
        return self.last_epoch == self.epochs


@span("training")
def train(
    model: MultiExitModel,
    examples: Examples,
    *,
    validation: tuple[Any, Any],
    objective: Objective,
    schedule: TrainingSchedule,
    checkpoint: Checkpoint | None = None,
    ignore_label: int | None = None,
) -> list[dict[str, float]]:
    """Train in place and return one record an epoch (see `history`).

    Where `train.optimizer.ema_decay` wants an average of the weights, it is what is validated and
    what the model ends with; `loss` and `accuracy` are those of the steps, without it.

    All randomness of an epoch is a function of the seed and the epoch's number, so a run that
    resumes from a checkpoint ends with the same bits as one that never stopped.

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
    params = schedule.params
    batch_size = min(params.batch_size, examples.num_examples)
    steps = examples.num_examples // batch_size
    if examples.megabytes() <= params.memory_limit_mb:
        examples = examples.in_memory()
    sample = examples.sample
    tapped = model.tapped(student_blocks(objective.hints), exit_gradient=params.exit_gradient)
    matcher = HintMatcher(
        objective.hints,
        student_shapes=tapped.feature_shapes,
        teacher_shapes=[features.shape for features in sample.features],
        seed=schedule.seed,
    )
    optimizer = Optimizer(
        params.optimizer,
        [*model.network.trainable_variables, *matcher.variables],
        averaged=model.network.weights,
        learning_rate=schedule.learning_rate,
        steps=schedule.epochs * steps,
    )
    variables = [*model.network.weights, *matcher.variables, *optimizer.state]
    state = (checkpoint and checkpoint.load()) or TrainingState(epoch=0, arrays=[], history=[])
    if state.epoch:
        print(f"resuming after epoch {state.epoch}")
        keras.backend.batch_set_value(list(zip(variables, state.arrays, strict=False)))
    best = state.arrays[len(variables) :]
    run_block = compile_block(
        tapped, matcher, optimizer, objective, batch_size, sample, ignore_label=ignore_label
    )
    predictor = ForwardPass(model)
    guard = CollapseGuard(
        patience=min(
            patience(params.guard_epochs, steps=steps),
            max(schedule.last_epoch, schedule.total_epochs),
        ),
        steps=steps,
        epochs=schedule.last_epoch,
        labels=label_counts(validation[1], int(model.network.outputs[-1].shape[-1]), ignore_label),
        class_names=schedule.class_names,
        per_pixel=np.ndim(validation[1]) > 1,
        collapsed_epochs=state.collapsed_epochs,
    )
    reporter = EpochReporter(
        first_epoch=state.epoch, epochs=schedule.last_epoch, images=steps * batch_size
    )
    fitting = _BYTES_PER_BLOCK // (batch_size * sample.nbytes)
    steps_per_block = min(max(fitting, 1), _STEPS_PER_BLOCK)
    history = list(state.history)
    for epoch in range(state.epoch + 1, schedule.last_epoch + 1):
        overall_epoch = len(schedule.earlier_history) + epoch  # among the epochs of all phases
        _reset_random_layers(model, schedule.seed, overall_epoch)
        blocks = examples.blocks(
            epoch=overall_epoch,
            order=order_of(examples, params.class_balance, seed=schedule.seed, epoch=overall_epoch),
            batch_size=batch_size,
            steps_per_block=steps_per_block,
        )
        values = objective.epoch_values(
            epoch=overall_epoch,
            epochs=schedule.total_epochs or schedule.epochs,
            history=[*schedule.earlier_history, *history],
        )
        inputs = {name: tf.constant(value, tf.float32) for name, value in values.items()}
        done, sums = 0, np.zeros(4)
        reporter.start_epoch(epoch)
        # Around all blocks: the thread that makes them asks the teacher in this precision too.
        with precision_scope(schedule.precision):
            for block in _prefetch(blocks):
                sums += run_block(block, inputs).numpy()
                done += len(block.images)
                guard.check_loss(float(sums[0]), epoch=epoch)
                reporter.show_block(done * batch_size, loss=float(sums[0]) / done)
        loss, correct, agreed, counted = sums.tolist()
        record = {"epoch": epoch, "loss": loss / steps}
        if counted:
            record["accuracy"] = correct / counted
        with optimizer.average.installed():
            scores, answers = _validate(predictor, *validation, ignore_label)
        guard.check_loss(scores["validation_loss"], epoch=epoch, name="validation loss")
        guard.check_predictions(answers, epoch=epoch)
        record |= scores
        if sample.logits.size and counted:
            record["teacher_agreement"] = agreed / counted
        record |= values
        history.append({name: round(value, 6) for name, value in record.items()})
        reporter.end_epoch(record)
        if schedule.keeps_best and best_epoch(history, schedule.keeps_best) == epoch:
            with optimizer.average.installed():
                best = model.network.get_weights()
        if not schedule.continues and (
            message := stalled(
                history, epochs=schedule.epochs, learning_rate=schedule.learning_rate
            )
        ):
            warn(message)
        if checkpoint:
            arrays = [*keras.backend.batch_get_value(variables), *best]
            checkpoint.save(TrainingState(epoch, arrays, history, guard.collapsed_epochs))
        if schedule.on_epoch:
            schedule.on_epoch(history)
    optimizer.average.install()
    if best:
        model.network.set_weights(best)
    return history


def _prefetch(blocks: Iterator[Block]) -> Iterator[Block]:
    """Make the next block (read it, draw its views, ask the teacher) while one trains."""
    with ThreadPoolExecutor(max_workers=1) as maker:
        coming = maker.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = maker.submit(next, blocks, None)
            yield block


def _validate(
    predictor: ForwardPass, images: Any, labels: Any, ignore_label: int | None
) -> tuple[dict[str, float], np.ndarray]:
    """Give loss and scores of the last exit, and how often it answers each class, int [classes]."""
    losses, counts = [], []
    confusion: Any = 0
    answers: Any = 0
    for part in predictor.parts(len(images)):
        logits, truth = predictor.logits(images[part])[-1], labels[part]
        predicted, classes = logits.argmax(axis=-1), logits.shape[-1]
        losses.append(float(LabelLossSum(ignore_label)(logits, truth)))
        counts.append(int(np.count_nonzero(counted(truth, ignore_label))))
        confusion = confusion + confusion_matrix(predicted, truth, classes, ignore_label)
        answers = answers + np.bincount(predicted.ravel(), minlength=classes)
    record = {
        "validation_loss": mean_loss(losses, counts),
        "validation_accuracy": accuracy_of(confusion),
    }
    scores = (
        {"mean_iou": mean_iou(confusion)} if np.ndim(labels) > 1 else by_class_scores(confusion)
    )
    record |= {f"validation_{key}": score for key, score in scores.items()}
    return record, answers


def mean_loss(losses: Sequence[float], counts: Sequence[int]) -> float:
    """Give the loss of all rows from that of each part; one part's stays as it is, to the bit.

    Args:
        counts: labels of each part that count.
    """
    return losses[0] if len(losses) == 1 else float(np.average(losses, weights=counts))


def _reset_random_layers(model: MultiExitModel, seed: int, epoch: int) -> None:
    """Give every random layer the generator that belongs to this epoch."""
    seeds = generator("layers", seed, epoch)
    for layer in model.network.layers:
        inner = getattr(layer, "layer", layer)  # tfmot wraps layers in others
        random = getattr(inner, "_random_generator", None)
        if random is not None and getattr(random, "_generator", None) is not None:
            random._generator.reset_from_seed(int(seeds.integers(2**31)))
