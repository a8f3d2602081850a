"""Compare teacher, students from scratch and distilled students on the test split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdtasks.atomic import write_json
from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params) -> None:
    """Write `metrics/compare.json` and `plots/compare.npz`."""
    from kdtasks.datasets.prepared import open_prepared
    from kdtasks.evaluation.comparison import compare_classifiers
    from kdtasks.evaluation.mask_comparison import compare_masks
    from kdtasks.evaluation.outputs import write_arrays
    from kdtasks.models.saved import load_model
    from kdtasks.teachers.teacher import open_teacher
    from kdtasks.training.inference import Predictor

    def opener(stage: str, seed: int) -> Callable[[], Any]:
        def opens() -> Callable[[Any], Any]:
            predictor = Predictor(load_model(Path("models") / stage / str(seed)))
            return lambda images: predictor.logits(images)[-1]

        return opens

    dataset = open_prepared(Path("data/prepared"))
    compare = {"classification": compare_classifiers, "segmentation": compare_masks}
    comparison, shown = compare[dataset.task](
        dataset,
        lambda: open_teacher(Path("models/teacher")).logits,
        {seed: opener("student", seed) for seed in params.seeds},
        {seed: opener("distill", seed) for seed in params.seeds},
        params.evaluate,
    )
    write_json(Path("metrics/compare.json"), comparison)
    write_arrays(Path("plots/compare.npz"), **shown)
    measure = "mean_iou" if dataset.task == "segmentation" else "accuracy"
    print(
        f"test {measure.replace('_iou', ' IoU')}: teacher {comparison['teacher'][measure]:.4f}, "
        f"student {comparison['student']['mean']:.4f}, "
        f"distilled {comparison['distill']['mean']:.4f}; distillation: "
        f"{comparison['gain']['verdict']}"
    )


if __name__ == "__main__":
    run_stage(main)
