"""A whole training run of a stage: build and train, then write model, metrics and history."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kdtasks.core.backend import seed_everything
from kdtasks.core.errors import ModelError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.training import ExitScores, TrainedScores, Training
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.networks import Architecture
from kdtasks.learn.networks.build import BuiltModel, Heads, build
from kdtasks.learn.networks.inference import ForwardPass
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.networks.pretrained import Pretrained
from kdtasks.learn.networks.saved import load_initial_weights, model_files, save_model
from kdtasks.learn.objectives.objective import Objective
from kdtasks.learn.schedules import History
from kdtasks.learn.training.checkpoint import Checkpoint, files_hash
from kdtasks.learn.training.examples import Examples
from kdtasks.learn.training.loop import TrainingSchedule, train
from kdtasks.learn.training.monitor import best_epoch, write_history
from kdtasks.learn.training.phases import Phase, phases_of, train_phases
from kdtasks.learn.training.settings import TrainingSetup
from kdtasks.learn.training.trend import trend_of
from kdtasks.tasks.confusion import ExitConfusions


@dataclass(frozen=True)
class TrainingRun:
    """What is trained, and for how long.

    Attributes:
        name: `teacher`, `student/0`, `distill/0` …: the name of the outputs.
        network: what is built.
        exits: blocks that carry an early exit.
        heads: what their exits do with the features, where it is not the default.
        schedule: how long and how fast.
        initial_weights: folder of a saved network to start from; None begins with random weights.
        inputs: files that the run depends on; their content is part of the checkpoint's identity.
        files: folder that files of the network itself lie in.
    """

    name: str
    network: Architecture
    schedule: TrainingSchedule
    inputs: Sequence[Path]
    files: Path
    exits: Sequence[str] = ()
    heads: Heads = field(default_factory=dict)
    initial_weights: Path | None = None


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network, and what it was trained as.

    Its checkpoints are to be removed once the outputs are written.

    Attributes:
        head_epochs: of the history, in which new layers alone were trained.
    """

    run: TrainingRun
    model: BuiltModel
    history: list[dict[str, float]]
    checkpoints: Sequence[Checkpoint]
    head_epochs: int = 0

    def remove_checkpoints(self) -> None:
        """Remove what an interrupted run would go on from."""
        for checkpoint in self.checkpoints:
            checkpoint.remove()


def run_training(
    run: TrainingRun,
    setup: TrainingSetup,
    *,
    dataset: PreparedDataset,
    examples: Examples,
    objective: Objective,
    paths: ProjectPaths,
) -> TrainedNetwork:
    """Train a network of the zoo; nothing is written but its checkpoint.

    A run that was interrupted resumes after its last whole epoch.

    Args:
        run: the network and its schedule.
        setup: what all trainings share.
        dataset: classes, and the validation split.
        examples: what it trains on.
        objective: what is minimised.
        paths: where the checkpoint goes.
    """
    name, start, inputs = run.name, run.initial_weights, run.inputs
    seed_everything(run.schedule.seed)
    model = build(
        run.network,
        input_shape=dataset.image_shape,
        num_classes=dataset.num_classes,
        exits=run.exits,
        heads=run.heads,
        layers=run.network.read_layers(run.files),
    )
    _check_answers(model, dataset)
    print(
        f"{name}: {run.network.name}, {model.count_parameters():,} parameters, "
        f"{model.macs()[-1]:,} multiply-accumulates"
    )
    inputs = [*inputs, *run.network.files(run.files)]
    trained = run.network.load_weights(model.network, run.files)
    if trained:
        print(f"{name}: {len(trained)} layers begin with trained weights")
    if start:
        trained = set()
        load_initial_weights(model, start)
        inputs = [*inputs, *model_files(start)]
        print(f"{name}: initialized from {start}")
    content, checkpoints = files_hash(inputs), []

    def fit(phase: Phase, before: History) -> list[dict[str, float]]:
        key = f"{name}/{phase.name}" if phase.name else name
        checkpoint = Checkpoint(
            paths.checkpoint(key),
            settings=[key, setup.identity, run.schedule.seed, run.schedule.keeps_best, content],
        )
        checkpoints.append(checkpoint)
        return train(
            model,
            examples,
            validation=(dataset.images("validation"), dataset.labels("validation")),
            objective=objective,
            schedule=replace(
                phase.schedule, class_names=dataset.class_names, earlier_history=before
            ),
            checkpoint=checkpoint,
            # of images none is hidden behind a label of its own, of pixels they may be
            ignore_label=dataset.no_label if dataset.no_label >= 0 else None,
        )

    settings = run.network.phases if isinstance(run.network, Pretrained) else None
    phases = phases_of(run.schedule, settings, model.network, trained)
    history = train_phases(phases, model.network, fit)
    head_epochs = sum(phase.schedule.last_epoch for phase in phases if phase.name)
    return TrainedNetwork(run, model, history, checkpoints, head_epochs)


def _check_answers(model: BuiltModel, dataset: PreparedDataset) -> None:
    """Refuse a network that answers for whole images where there are masks, or the other way."""
    (*output_size, _), label_size = (
        model.network.outputs[-1].shape[1:],
        dataset.labels("train").shape[1:],
    )
    if tuple(output_size) != tuple(label_size):
        sizes = (output_size, label_size)
        given, expected = ("×".join(map(str, size)) or "one" for size in sizes)
        raise ModelError(
            f"the network {model.network.name} gives {given} answers an image, the dataset has "
            f"{expected}: classes want one, masks one for each pixel; give a network that ends "
            "so, or name the layer to put a head on in `features`"
        )


def write_trained(trained: TrainedNetwork, dataset: PreparedDataset, paths: ProjectPaths) -> None:
    """Write model, metrics and learning curve under the run's name, and forget the checkpoint."""
    run, model, history = trained.run, trained.model, trained.history
    chosen_by = run.schedule.keeps_best
    kept = best_epoch(history[trained.head_epochs :], chosen_by) if chosen_by else None
    images, labels = dataset.images("validation"), dataset.labels("validation")
    save_model(paths.model(run.name), model)
    write_history(paths.plot(run.name), history)
    scores = exit_scores(model, images, labels, ignore_label=dataset.ignore_label)
    Training(
        validation=TrainedScores(
            **scores.present(),
            loss=history[kept - 1 if kept else -1]["validation_loss"],
            labels_from=dataset.labels_from("validation"),
        ),
        parameters=model.count_parameters(),
        macs=tuple(model.macs()),
        epochs=run.schedule.last_epoch,
        seed=run.schedule.seed,
        start=str(run.initial_weights) if run.initial_weights else None,
        trend=trend_of(history) if run.schedule.is_complete else None,
        kept_epoch=kept,
    ).write(paths.metrics(run.name))
    trained.remove_checkpoints()


def exit_scores(
    model: MultiExitModel, images: Any, labels: Any, *, ignore_label: int | None = None
) -> ExitScores:
    """Return the scores of every exit on labelled images or pixels."""
    confusions = ExitConfusions(model.network.outputs[-1].shape[-1], ignore_label=ignore_label)
    predictor = ForwardPass(model)
    for part in predictor.parts(len(images)):
        confusions.add(predictor.classes(images[part]), labels[part])
    return confusions.scores()
