"""Distil the student from the teacher's targets, cached or online, for one seed."""

from pathlib import Path

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths, seed: str) -> None:
    """Write the distilled student, its metrics and its learning curve."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.networks.saved import start_of
    from kdtasks.learn.objectives.distillation import DistillationObjective
    from kdtasks.learn.objectives.hints import teacher_layers
    from kdtasks.learn.objectives.objective import backbone_first, label_loss_of
    from kdtasks.learn.targets import answer_files, open_targets
    from kdtasks.learn.training.loop import Schedule
    from kdtasks.learn.training.run import TrainingRun, run_training, write_trained

    setup, student = params.training(), params.student
    dataset = open_prepared(paths.prepared)
    layers = teacher_layers(params.distill.hints)
    run = TrainingRun(
        name=f"distill/{seed}",
        network=student.model,
        exits=student.exits,
        heads=student.heads,
        schedule=Schedule(
            setup.train,
            epochs=params.distill.epochs,
            learning_rate=student.learning_rate,
            seed=int(seed),
            precision=setup.precision,
        ),
        initial_weights=start_of(Path(student.start), int(seed)),
        inputs=[paths.dataset, *answer_files(paths.targets)],
    )
    objective = DistillationObjective(params.distill, label_loss_of(params.train.loss, dataset))
    trained = run_training(
        run,
        setup,
        dataset=dataset,
        examples=open_targets(paths.targets, dataset, seed=int(seed), layers=layers),
        objective=backbone_first(objective, student.backbone_first),
        paths=paths,
    )
    write_trained(trained, dataset, paths)


if __name__ == "__main__":
    run_stage(main)
