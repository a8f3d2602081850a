"""Train the student from labels alone, for one seed."""

from typing import TYPE_CHECKING

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage

if TYPE_CHECKING:
    from kdtasks.learn.arms import Arm


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
    from kdtasks.learn.arms import Lessons, train_arm
    from kdtasks.learn.training.run import write_trained

    setup, seed = params.training(), int(name.rpartition("/")[2])
    online = params.targets.mode == "online"
    lessons = Lessons(paths, params.augmentation, setup.train, params.distill, online, seed)
    write_trained(train_arm(name, arm, lessons, params.student, setup), lessons.dataset, paths)


if __name__ == "__main__":
    run_stage(main)
