"""Forecast from the validation split whether the teacher will help; students do not wait for it."""

from functools import partial

from kdtasks.core.errors import Refused, TrainingError
from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage(outputs=lambda paths: [paths.metrics("prospect")])
def main(params: Params, paths: ProjectPaths) -> None:
    """Train a student for a sixth of the epochs, forecast, and forget the student."""
    from kdtasks.core.events import warn
    from kdtasks.core.records.data import Labels, Targets
    from kdtasks.data.prepared import open_prepared
    from kdtasks.evaluate.prospect import forecast
    from kdtasks.evaluate.registry import evaluator_of
    from kdtasks.learn.networks.inference import ForwardPass
    from kdtasks.learn.schedules import highest_value
    from kdtasks.learn.teachers.teacher import open_teacher
    from stages.student import run_student

    distill, epochs = params.distill, max(2, params.distill.epochs // 6)
    name = f"prospect/{params.seeds[0]}"
    try:
        trained = run_student(params, paths, name, arm="labels", quick_epochs=epochs)
    except TrainingError as error:  # advice stops nothing
        paths.checkpoint(name).unlink(missing_ok=True)
        raise Refused(f"a student of {epochs} epochs did not learn: {error}") from None
    predictor, dataset = ForwardPass(trained.model), open_prepared(paths.prepared)
    teacher = open_teacher(paths.teacher, batch_size=params.targets.batch_size)
    teacher = teacher.for_images(dataset.names("validation"))
    to_inputs = partial(teacher.inputs, paths.teacher_images, "validation")
    prospect = forecast(
        evaluator_of(dataset, params.evaluate, split="validation"),
        lambda images: teacher.predict(to_inputs(images), slice(None))[0],
        lambda images: predictor.logits(images)[-1],
        epochs=epochs,
        temperature=highest_value(distill.temperature) if distill.loss.is_plain else None,
        labels=Labels.read(paths.metrics("labels")),
        unlabelled=Targets.read(paths.targets / "targets.json").unlabelled,
    )
    prospect.write(paths.metrics("prospect"))
    trained.remove_checkpoints()
    show = warn if prospect.outlook == "will not help" else print
    show(f"forecast, from {prospect.rows:,} validation images: {prospect.advice}")


if __name__ == "__main__":
    run_stage(main)
