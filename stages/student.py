"""Train the student from labels alone, for one seed."""

from typing import TYPE_CHECKING

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import REFUSED, CsvTable, Folder, run_stage, stage

if TYPE_CHECKING:
    from kdtasks.learn.arms import Arm
    from kdtasks.learn.training.run import TrainedNetwork


@stage(
    outputs=lambda paths, seed: [
        Folder(paths.model("student", seed), REFUSED),
        paths.metrics("student", seed),
        CsvTable(paths.plot("student", seed), "epoch,validation_accuracy"),
    ]
)
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
) -> "TrainedNetwork":
    """Train a student; nothing is written but its checkpoint.

    Args:
        name, arm: as of `train_student`.
        quick_epochs: as of `train_arm`.
    """
    from kdtasks.learn.arms import ArmPlanner, train_arm

    setup, seed = params.training(), int(name.rpartition("/")[2])
    online = params.targets.mode == "online"
    planner = ArmPlanner(paths, params.augmentation, setup.train, params.distill, online, seed)
    return train_arm(name, arm, planner, params.student, setup, quick_epochs=quick_epochs)


if __name__ == "__main__":
    run_stage(main)
