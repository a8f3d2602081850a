"""A whole training run of a stage: build and train, then write model, metrics and history."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdtasks.core.backend import seed_everything
from kdtasks.core.files import write_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.networks import Architecture
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.inference import Predictor
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.networks.network import Heads
from kdtasks.learn.networks.saved import model_files, save_model, take_weights
from kdtasks.learn.objectives.objective import Objective
from kdtasks.learn.training.checkpoint import Checkpoint, files_hash
from kdtasks.learn.training.examples import Examples
from kdtasks.learn.training.loop import Schedule, train
from kdtasks.learn.training.monitor import write_history
from kdtasks.learn.training.settings import TrainingSetup
from kdtasks.tasks.confusion import Tally


@dataclass(frozen=True)
class Trained:
    """A trained network, and what it was trained as.

    Its checkpoint is to be removed once the outputs are written.
    """

    model: MultiExitModel
    history: list[dict[str, float]]
    checkpoint: Checkpoint
    architecture: Architecture
    exits: tuple[str, ...]
    heads: Heads
    schedule: Schedule
    start: Path | None


def run_training(
    name: str,
    setup: TrainingSetup,
    *,
    dataset: PreparedDataset,
    examples: Examples,
    objective: Objective,
    architecture: Architecture,
    exits: Sequence[str],
    schedule: Schedule,
    inputs: Sequence[Path],
    heads: Heads | None = None,
    start: Path | None = None,
) -> Trained:
    """Train a network of the zoo; nothing is written but its checkpoint.

    A run that was interrupted goes on from its last whole epoch.

    Arguments:
        name: `teacher`, `student/0`, `distill/0` …: the name of the outputs.
        examples: what it trains on.
        exits: blocks that carry an early exit.
        heads: what their exits do with the features, where it is not the default.
        inputs: files that the run depends on; their content is part of the checkpoint's identity.
        start: a saved network whose weights it starts from; None begins with random ones.
    """
    seed_everything(schedule.seed)
    model = build(
        architecture,
        input_shape=dataset.image_shape,
        num_classes=dataset.num_classes,
        exits=exits,
        heads=heads,
    )
    print(
        f"{name}: {architecture.name}, {model.count_parameters():,} parameters, "
        f"{model.macs()[-1]:,} multiply-accumulates"
    )
    if start:
        take_weights(model, start, architecture=architecture, exits=exits, heads=heads)
        inputs = [*inputs, *model_files(start)]
        print(f"{name}: starts from the weights in {start}")
    checkpoint = Checkpoint(
        ProjectPaths().checkpoint(name),
        settings=[name, setup.identity, files_hash(inputs)],
    )
    history = train(
        model,
        examples,
        validation=(dataset.images("validation"), dataset.labels("validation")),
        objective=objective,
        schedule=schedule,
        checkpoint=checkpoint,
        ignore_label=dataset.ignore_label,
    )
    return Trained(
        model, history, checkpoint, architecture, tuple(exits), heads or {}, schedule, start
    )


def write_trained(name: str, trained: Trained, dataset: PreparedDataset) -> None:
    """Write `models/`, `metrics/` and `plots/` under a name, and forget the checkpoint."""
    model, schedule = trained.model, trained.schedule
    images, labels = dataset.images("validation"), dataset.labels("validation")
    save_network(Path("models") / name, trained)
    write_history(Path("plots") / f"{name}.csv", trained.history)
    write_json(
        Path("metrics") / f"{name}.json",
        {
            "validation": {
                **exit_figures(model, images, labels, ignore_label=dataset.ignore_label),
                "loss": trained.history[-1]["validation_loss"],
            },
            "parameters": model.count_parameters(),
            "macs": model.macs(),
            "epochs": schedule.last_epoch,
            "seed": schedule.seed,
            **({"start": str(trained.start)} if trained.start else {}),
        },
    )
    trained.checkpoint.remove()


def save_network(folder: Path, trained: Trained) -> None:
    """Write the network alone."""
    save_model(
        folder,
        trained.model,
        architecture=trained.architecture,
        exits=trained.exits,
        heads=trained.heads,
    )


def schedule_of(
    setup: TrainingSetup,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    stop_epoch: int | None = None,
) -> Schedule:
    """Make the schedule of a run out of the section `train`, which all runs share."""
    return Schedule(
        epochs=epochs,
        batch_size=setup.train.batch_size,
        learning_rate=learning_rate,
        seed=seed,
        memory_limit_mb=setup.train.memory_limit_mb,
        guard_epochs=setup.train.guard_epochs,
        stop_epoch=stop_epoch,
        precision=setup.precision,
        optimizer=setup.train.optimizer,
        exit_gradient=setup.train.exit_gradient,
    )


def exit_figures(
    model: MultiExitModel, images: Any, labels: Any, *, ignore_label: int | None = None
) -> dict[str, list[float]]:
    """Return `accuracy` of every exit on labelled pictures or pixels, and of masks `mean_iou`."""
    tally = Tally(model.network.outputs[-1].shape[-1], ignore_label=ignore_label)
    tally.add(Predictor(model).classes(images), labels)
    return tally.figures()
