"""Write the page, the chosen variant, and the numbers behind the page."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.report.inputs import ReportSettings
from kdtasks.report.page import write_report
from kdtasks.stage import run_stage, stage


def settings_of(params: Params) -> ReportSettings:
    """What the report needs of params."""
    return ReportSettings(
        recipe=params.recipe,
        task=params.data.task,
        metric=params.evaluate.metric,
        is_balanced=params.train.class_balance != "none",
        seeds=params.seeds,
        variants=params.compress.variants,
        exits=params.student.exits,
        confidence=params.evaluate.confidence,
        select=params.select,
        notes=params.compress.notes,
        mask_values=params.data.source.mask_values,
        teacher_is_trained=params.teacher.source == "train",
        teacher_has_weight=params.distill.alpha != 1.0 or bool(params.distill.hints),
        tuned_trials=params.tune.trials,
        params=params.model_dump(mode="json"),
    )


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Read every metric of the project and write `report/`."""
    write_report(paths, settings_of(params))


if __name__ == "__main__":
    run_stage(main)
