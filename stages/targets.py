"""Run the teacher once over every augmented view, or make it ready to run beside the students."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write what students are taught."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.targets import write_online, write_targets
    from kdtasks.learn.teachers.teacher import open_teacher
    from kdtasks.learn.training.step import precision_scope

    dataset = open_prepared(paths.prepared)
    batch_size, layers = params.targets.batch_size, params.targets.features
    if params.targets.mode == "online":
        write_online(
            paths.targets,
            paths.teacher,
            images=dataset.images("train"),
            augmentation=params.augmentation,
            batch_size=batch_size,
            layers=layers,
        )
        return
    with precision_scope(params.runtime.precision):
        write_targets(
            paths.targets,
            open_teacher(paths.teacher, batch_size=batch_size, layers=layers),
            dataset,
            augmentation=params.augmentation,
            layers=layers,
            top_k=params.targets.top_k,
        )


if __name__ == "__main__":
    run_stage(main)
