"""Train the student from labels alone, for one seed, with as many steps as the distilled one."""

from pathlib import Path
from typing import TYPE_CHECKING

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage

if TYPE_CHECKING:
    from kdtasks.learn.arms import Arm
    from kdtasks.learn.training.run import Trained


@stage()
def main(params: Params, paths: ProjectPaths, seed: str) -> None:
    """Write the student, its metrics and its learning curve."""
    train_student(params, paths, f"student/{seed}", arm="labels")


def train_student(params: Params, paths: ProjectPaths, name: str, *, arm: "Arm") -> None:
    """Train a student and write it, its metrics and its learning curve.

    Args:
        name: of its outputs; the part behind the last slash is the seed.
        arm: what it is taught with.
    """
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.training.run import write_trained

    trained = run_student(params, paths, name, arm=arm)
    write_trained(trained, open_prepared(paths.prepared), paths)


def run_student(
    params: Params,
    paths: ProjectPaths,
    name: str,
    *,
    arm: "Arm",
    quick_epochs: int | None = None,
) -> "Trained":
    """Train a student; nothing is written but its checkpoint.

    Args:
        name, arm: as of `train_student`.
        quick_epochs: of a quick try, which keeps its last one, so that validation images choose
            nothing; None for all epochs.
    """
    from kdtasks.learn.arms import Lessons
    from kdtasks.learn.networks.saved import start_of
    from kdtasks.learn.objectives.objective import backbone_first
    from kdtasks.learn.training.loop import Schedule
    from kdtasks.learn.training.run import TrainingRun, run_training

    setup, student, seed = params.training(), params.student, int(name.rpartition("/")[2])
    online = params.targets.mode == "online"
    lessons = Lessons(paths, params.augmentation, setup.train, params.distill, online, seed)
    lesson = lessons.lesson(arm)
    rate, epochs = student.learning_rate, quick_epochs or params.distill.epochs
    run = TrainingRun(
        name=name,
        network=student.model,
        exits=student.exits,
        heads=student.heads,
        schedule=Schedule(
            setup.train,
            epochs=epochs,
            learning_rate=rate,
            seed=seed,
            precision=setup.precision,
            keeps_best=lesson.keeps_best and quick_epochs is None,
        ),
        initial_weights=start_of(Path(student.start), seed),
        inputs=[paths.dataset, *lesson.inputs],
    )
    return run_training(
        run,
        setup,
        dataset=lessons.dataset,
        examples=lesson.examples,
        objective=backbone_first(lesson.objective, student.backbone_first),
        paths=paths,
    )


if __name__ == "__main__":
    run_stage(main)
