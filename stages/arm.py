"""Train a further student to compare, for one arm of `distill.arms` and one seed."""

from typing import cast

from kdtasks.core.paths import ProjectPaths
from kdtasks.learn.arms import Arm
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage
from stages.student import train_student


@stage()
def main(params: Params, paths: ProjectPaths, arm: str, seed: str) -> None:
    """Write the student, its metrics and its learning curve."""
    train_student(params, paths, f"arm/{arm}/{seed}", arm=cast("Arm", arm))


if __name__ == "__main__":
    run_stage(main)
