"""Trained weights are fine-tuned in two phases: new layers alone, then everything more slowly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kdtasks.core.settings import count_of
from kdtasks.learn.networks.pretrained import Phases
from kdtasks.learn.training.loop import TrainingSchedule


@dataclass(frozen=True)
class Phase:
    """A part of a training.

    Attributes:
        name: to tell its checkpoint from others'; empty for the last one.
        schedule: its own epochs and learning rate.
        frozen: names of the layers whose weights, statistics included, stay.
    """

    name: str
    schedule: TrainingSchedule
    frozen: frozenset[str] = frozenset()


def phases_of(
    schedule: TrainingSchedule, phases: Phases | None, network: Any, trained: set[str]
) -> list[Phase]:
    """Take a training apart where some of a network's layers begin with trained weights.

    Args:
        schedule: of the whole training.
        phases: how they share it; None where the network is trained in one.
        network: a `keras.Model`.
        trained: names of those layers.
    """
    if phases is None or not trained:
        return [Phase("", schedule)]
    layers = {layer.name: type(layer).__name__ for layer in network.layers if layer.weights}
    norms = {name for name in trained if layers[name] == "BatchNormalization"}
    # Where no layer is new there is no head to begin with.
    head = count_of(phases.head, schedule.epochs) if layers.keys() - trained else 0
    schedule = replace(schedule, total_epochs=schedule.epochs)
    rest = replace(
        schedule,
        epochs=schedule.epochs - head,
        stop_epoch=schedule.stop_epoch and schedule.stop_epoch - head,
        learning_rate=phases.rate * schedule.learning_rate,
    )
    last = Phase("", rest, frozenset(norms))
    if not head:
        return [last]
    stop = schedule.stop_epoch and min(schedule.stop_epoch, head)
    first = replace(schedule, epochs=head, stop_epoch=stop, keeps_best=None, on_epoch=None)
    begun = Phase("head", first, frozenset(trained))
    return [begun] if schedule.stop_epoch and schedule.stop_epoch <= head else [begun, last]


def train_phases(
    phases: Sequence[Phase],
    network: Any,
    fit: Callable[[Phase, Sequence[dict[str, float]]], list[dict[str, float]]],
) -> list[dict[str, float]]:
    """Train one phase after another; return the records of all epochs, numbered on.

    Args:
        network: some of whose layers are frozen meanwhile.
        fit: trains a phase, given the records of those before, and returns its own.
    """
    history: list[dict[str, float]] = []
    for phase in phases:
        for layer in network.layers:
            layer.trainable = layer.name not in phase.frozen
        history = _joined(history, fit(phase, history))
    for layer in network.layers:
        layer.trainable = True
    return history


def _joined(before: Sequence[Any], after: Sequence[Any]) -> list[dict[str, float]]:
    return [*before, *({**record, "epoch": record["epoch"] + len(before)} for record in after)]
