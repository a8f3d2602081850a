"""Train the student from scratch, for one seed, on the views and budget of the distilled one."""

from pathlib import Path

from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params, seed: str) -> None:
    """Write `models/student/<seed>`, `metrics/student/<seed>.json`, `plots/student/<seed>.csv`."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.networks.saved import start_of
    from kdtasks.learn.objectives.objective import LabelObjective, backbone_first, label_loss_of
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.run import run_training, schedule_of, write_trained
    from kdtasks.learn.training.views import FreshExamples, draw_views

    dataset = open_prepared(Path("data/prepared"))
    pictures = (dataset.images("train"), dataset.labels("train"), params.augmentation)
    examples = (
        FreshExamples(*pictures, seed=int(seed))
        if params.targets.mode == "online"
        else TrainingExamples(*draw_views(*pictures, memory_limit_mb=params.train.memory_limit_mb))
    )
    trained = run_training(
        f"student/{seed}",
        params.training(),
        dataset=dataset,
        examples=examples,
        objective=backbone_first(
            LabelObjective(label_loss_of(params.train.loss, dataset)),
            params.student.backbone_first,
        ),
        architecture=params.student.model,
        exits=params.student.exits,
        heads=params.student.heads,
        start=start_of(Path(params.student.start), int(seed)),
        schedule=schedule_of(
            params.training(),
            epochs=params.distill.epochs,
            learning_rate=params.student.learning_rate,
            seed=int(seed),
        ),
        inputs=[Path("data/prepared/dataset.json")],
    )
    write_trained(f"student/{seed}", trained, dataset)


if __name__ == "__main__":
    run_stage(main)
