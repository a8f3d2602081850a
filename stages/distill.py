"""Distil the student from the teacher's targets, cached or online, for one seed."""

from pathlib import Path

from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params, seed: str) -> None:
    """Write `models/distill/<seed>`, `metrics/distill/<seed>.json`, `plots/distill/<seed>.csv`."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.networks.saved import start_of
    from kdtasks.learn.objectives.distillation import DistillationObjective
    from kdtasks.learn.objectives.hints import teacher_layers
    from kdtasks.learn.objectives.objective import backbone_first, label_loss_of
    from kdtasks.learn.targets.cached import answer_files, open_targets
    from kdtasks.learn.training.run import run_training, schedule_of, write_trained

    dataset = open_prepared(Path("data/prepared"))
    targets = Path("data/targets")
    trained = run_training(
        f"distill/{seed}",
        params.training(),
        dataset=dataset,
        examples=open_targets(
            targets,
            dataset,
            seed=int(seed),
            layers=teacher_layers(params.distill.hints),
        ),
        objective=backbone_first(
            DistillationObjective(params.distill, label_loss_of(params.train.loss, dataset)),
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
        inputs=[Path("data/prepared/dataset.json"), *answer_files(targets)],
    )
    write_trained(f"distill/{seed}", trained, dataset)


if __name__ == "__main__":
    run_stage(main)
