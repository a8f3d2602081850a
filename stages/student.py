"""Train the student from scratch, for one seed, on the views and budget of the distilled one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage

if TYPE_CHECKING:
    from kdtasks.data.prepared import PreparedDataset
    from kdtasks.learn.objectives.objective import Objective
    from kdtasks.learn.training.examples import Examples


@stage()
def main(params: Params, paths: ProjectPaths, seed: str) -> None:
    """Write the student, its metrics and its learning curve."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.objectives.objective import LabelObjective, label_loss_of
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.views import OnlineExamples, draw_views

    dataset = open_prepared(paths.prepared)
    data = (dataset.images("train"), dataset.labels("train"), params.augmentation)
    examples = (
        OnlineExamples(*data, seed=int(seed))
        if params.targets.mode == "online"
        else TrainingExamples(*draw_views(*data, memory_limit_mb=params.train.memory_limit_mb))
    )
    objective = LabelObjective(label_loss_of(params.train.loss, dataset))
    train_student(params, paths, f"student/{seed}", dataset, examples, objective)


def train_student(
    params: Params,
    paths: ProjectPaths,
    name: str,
    dataset: "PreparedDataset",
    examples: "Examples",
    objective: "Objective",
    inputs: Sequence[Path] = (),
) -> None:
    """Train a student and write it, its metrics and its learning curve.

    Args:
        name: `student/SEED` or `distill/SEED`.
        inputs: files that its checkpoint depends on, besides the dataset.
    """
    from kdtasks.learn.networks.saved import start_of
    from kdtasks.learn.objectives.objective import backbone_first
    from kdtasks.learn.training.loop import Schedule
    from kdtasks.learn.training.run import TrainingRun, run_training, write_trained

    setup, student, seed = params.training(), params.student, int(name.partition("/")[2])
    rate, epochs = student.learning_rate, params.distill.epochs
    run = TrainingRun(
        name=name,
        network=student.model,
        exits=student.exits,
        heads=student.heads,
        schedule=Schedule(
            setup.train, epochs=epochs, learning_rate=rate, seed=seed, precision=setup.precision
        ),
        initial_weights=start_of(Path(student.start), seed),
        inputs=[paths.dataset, *inputs],
    )
    trained = run_training(
        run,
        setup,
        dataset=dataset,
        examples=examples,
        objective=backbone_first(objective, student.backbone_first),
        paths=paths,
    )
    write_trained(trained, dataset, paths)


if __name__ == "__main__":
    run_stage(main)
