"""Run the teacher once over every augmented view, or make it ready to run beside the students."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write what students are taught, and the images that the teacher is least sure of."""
    from dataclasses import replace

    import numpy as np

    from kdtasks.core.files import write_arrays
    from kdtasks.data.labels import training_set
    from kdtasks.data.prepared import open_prepared
    from kdtasks.data.stacked_rows import rows_of
    from kdtasks.data.teacher_images import teacher_training_images
    from kdtasks.data.unlabelled import open_unlabelled, unlabelled_names
    from kdtasks.learn.targets.write import write_online, write_targets
    from kdtasks.learn.teachers.confidence import confidence_of
    from kdtasks.learn.teachers.teacher import open_teacher
    from kdtasks.learn.training.step import precision_scope

    settings, dataset = params.targets, open_prepared(paths.prepared)
    unlabelled, names = open_unlabelled(paths.unlabelled), unlabelled_names(paths.unlabelled)
    teacher = open_teacher(paths.teacher, batch_size=settings.batch_size, layers=settings.features)
    confidence = None
    if len(unlabelled):
        bound = teacher.for_images(names)
        with precision_scope(params.runtime.precision):
            inputs = teacher.inputs(paths.teacher_images, "unlabelled", unlabelled)
            confidence = confidence_of(bound, inputs, min_confidence=settings.min_confidence)
    write_arrays(paths.unsure, **(confidence.least_confident(unlabelled) if confidence else {}))
    if confidence:
        names = [names[row] for row in confidence.kept]
    kept = confidence.kept if confidence else np.empty(0, np.int64)
    training = training_set(dataset, rows_of(unlabelled, kept))
    if teacher.image_shape:
        training = replace(
            training, teacher_inputs=teacher_training_images(paths.teacher_images, kept)
        )
    if settings.mode == "online":
        write_online(
            paths.targets,
            paths.teacher,
            images=training.images if training.teacher_inputs is None else training.teacher_inputs,
            augmentation=params.augmentation,
            batch_size=settings.batch_size,
            layers=settings.features,
            confidence=confidence,
        )
        return
    with precision_scope(params.runtime.precision):
        write_targets(
            paths.targets,
            teacher.for_images([*dataset.names("train"), *names]),
            training,
            augmentation=params.augmentation,
            layers=settings.features,
            top_k=settings.top_k,
            confidence=confidence,
        )


if __name__ == "__main__":
    run_stage(main)
