"""Compare teacher, students from scratch and distilled students on the test split.

Besides, teacher and students from scratch judge the labels of other splits.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Refusal
from kdtasks.params import Params
from kdtasks.stage import REFUSED, run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write the comparison, what the page shows of masks, and labels that look wrong."""
    from kdtasks.core.files import write_arrays
    from kdtasks.data.prepared import open_prepared
    from kdtasks.data.slices import TEACHER_IMAGES, open_folders, read_parts
    from kdtasks.evaluate.label_errors import TeacherAnswers, find_label_errors
    from kdtasks.evaluate.registry import evaluator_of
    from kdtasks.evaluate.views import TeacherNetwork
    from kdtasks.learn.networks.inference import ForwardPass
    from kdtasks.learn.networks.saved import load_model
    from kdtasks.learn.teachers.teacher import open_teacher
    from kdtasks.learn.teachers.trained_on import TrainedOn

    def network_openers(stage: str) -> dict[int, Callable[[], Any]]:
        folders = {seed: paths.model(stage, seed) for seed in params.seeds}
        return {
            seed: partial(open_network, folder)
            for seed, folder in folders.items()
            if not (folder / REFUSED).exists()
        }

    def open_network(folder: Path) -> Callable[[Any], Any]:
        predictor = ForwardPass(load_model(folder))
        return lambda images: predictor.logits(images)[-1]

    def teacher_network() -> TeacherNetwork:
        bound = teacher.for_images(names)
        return TeacherNetwork(
            run=lambda images: bound.predict(images, slice(None))[0],
            to_inputs=partial(teacher.inputs, paths.teacher_images, "test"),
            uses_pixels=teacher.uses_pixels,
            folders={
                name: partial(teacher.inputs, paths.slice_folder(name) / TEACHER_IMAGES, "test")
                for name in folders
            },
        )

    def teacher_answers(split: str) -> TeacherAnswers | None:
        images, split_names = dataset.images(split), dataset.names(split)
        # of the splits used here, only this one has images of a teacher's own size
        has_inputs = teacher.image_shape is None or split == "validation"
        if trained_on is None or not has_inputs or not teacher.covers(split_names):
            return None
        inputs = teacher.inputs(paths.teacher_images, split, images)
        logits = teacher.for_images(split_names).predict(inputs, slice(None))[0]
        return TeacherAnswers(trained_on.is_unseen(images), logits)

    dataset, teacher = open_prepared(paths.prepared), open_teacher(paths.teacher)
    parts, names = read_parts(paths.slices), dataset.names("test")
    folders = open_folders(paths, params.evaluate.slices.folders)
    evaluator = evaluator_of(dataset, params.evaluate, parts=parts, folders=folders)
    comparison, shown = evaluator.compare(
        teacher_network if teacher.covers(names) and not evaluator.is_teacher_labelled else None,
        network_openers("student"),
        network_openers("distill"),
        {arm: network_openers(f"arm/{arm}") for arm in params.distill.arms},
    )
    comparison.write(paths.metrics("compare"))
    write_arrays(paths.compared, **shown)
    trained_on = TrainedOn.read(paths.teacher)
    errors, suspected = find_label_errors(
        dataset, list(network_openers("student").values()), teacher_answers
    )
    errors.write(paths.label_errors)
    write_arrays(paths.suspected, **suspected)
    metric, alone, gain = evaluator.metric, comparison.student, comparison.gain
    tested = comparison.teacher
    scores = {
        "teacher": f"{tested.score(metric.key):.4f}" if tested else "not tested",
        "student": f"{alone.mean:.4f}" if alone else "none",
        "distilled": f"{comparison.distill.mean:.4f}",
    }
    print(
        f"test {metric.name}: "
        + ", ".join(f"{name} {score}" for name, score in scores.items())
        + f"; distillation: {gain.refused if isinstance(gain, Refusal) else gain.verdict}"
    )


if __name__ == "__main__":
    run_stage(main)
