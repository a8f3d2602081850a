"""Distil the student from the teacher's targets, cached or online, for one seed."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage
from stages.student import train_student


@stage()
def main(params: Params, paths: ProjectPaths, seed: str) -> None:
    """Write the distilled student, its metrics and its learning curve."""
    train_student(params, paths, f"distill/{seed}", arm="soft")


if __name__ == "__main__":
    run_stage(main)
