"""Train the teacher, or import it from a file."""

from pathlib import Path

from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params) -> None:
    """Write `models/teacher`, `metrics/teacher.json` and `plots/teacher.csv`."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.training.teacher import make_teacher

    make_teacher(
        params.teacher,
        open_prepared(Path("data/prepared")),
        augmentation=params.augmentation,
        setup=params.training(),
    )


if __name__ == "__main__":
    run_stage(main)
