"""Run the teacher once over every augmented view and keep its logits."""

from pathlib import Path

from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params) -> None:
    """Write `data/targets`."""
    from kdtasks.datasets.prepared import open_prepared
    from kdtasks.distillation.targets import write_targets
    from kdtasks.teachers.teacher import open_teacher

    dataset = open_prepared(Path("data/prepared"))
    write_targets(
        Path("data/targets"),
        open_teacher(Path("models/teacher"), batch_size=params.targets.batch_size),
        images=dataset.images("train"),
        labels=dataset.labels("train"),
        augmentation=params.augmentation,
        num_classes=dataset.num_classes,
        ignore_label=dataset.ignore_label,
    )


if __name__ == "__main__":
    run_stage(main)
