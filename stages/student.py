"""Train the student from scratch, for one seed, on the views and budget of the distilled one."""

from pathlib import Path

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths, seed: str) -> None:
    """Write the student, its metrics and its learning curve."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.networks.saved import start_of
    from kdtasks.learn.objectives.objective import LabelObjective, backbone_first, label_loss_of
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.loop import Schedule
    from kdtasks.learn.training.run import TrainingRun, run_training, write_trained
    from kdtasks.learn.training.views import OnlineExamples, draw_views

    setup, student = params.training(), params.student
    dataset = open_prepared(paths.prepared)
    images = (dataset.images("train"), dataset.labels("train"), params.augmentation)
    examples = (
        OnlineExamples(*images, seed=int(seed))
        if params.targets.mode == "online"
        else TrainingExamples(*draw_views(*images, memory_limit_mb=params.train.memory_limit_mb))
    )
    run = TrainingRun(
        name=f"student/{seed}",
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
        inputs=[paths.dataset],
    )
    objective = LabelObjective(label_loss_of(params.train.loss, dataset))
    trained = run_training(
        run,
        setup,
        dataset=dataset,
        examples=examples,
        objective=backbone_first(objective, student.backbone_first),
        paths=paths,
    )
    write_trained(trained, dataset, paths)


if __name__ == "__main__":
    run_stage(main)
