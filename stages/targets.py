"""Run the teacher once over every augmented view, or make it ready to run beside the students."""

from pathlib import Path

from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params) -> None:
    """Write `data/targets`."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.targets.cached import write_targets
    from kdtasks.learn.targets.online import write_online
    from kdtasks.learn.teachers.teacher import open_teacher
    from kdtasks.learn.training.step import steps_in

    dataset = open_prepared(Path("data/prepared"))
    teacher, folder = Path("models/teacher"), Path("data/targets")
    batch_size, layers = params.targets.batch_size, params.targets.features
    if params.targets.mode == "online":
        write_online(
            folder,
            teacher,
            images=dataset.images("train"),
            augmentation=params.augmentation,
            batch_size=batch_size,
            layers=layers,
        )
        return
    with steps_in(params.runtime.precision):
        write_targets(
            folder,
            open_teacher(teacher, batch_size=batch_size, layers=layers),
            images=dataset.images("train"),
            labels=dataset.labels("train"),
            augmentation=params.augmentation,
            num_classes=dataset.num_classes,
            ignore_label=dataset.ignore_label,
            layers=layers,
            top_classes=params.targets.top_classes,
        )


if __name__ == "__main__":
    run_stage(main)
