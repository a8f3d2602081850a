"""Train the teacher, or import it from a file."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write the teacher, its metrics and its learning curve."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.training.teacher import make_teacher

    make_teacher(
        params.teacher,
        open_prepared(paths.prepared),
        augmentation=params.augmentation,
        setup=params.training(),
        paths=paths,
    )


if __name__ == "__main__":
    run_stage(main)
