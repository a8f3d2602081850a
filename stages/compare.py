"""Compare teacher, students from scratch and distilled students on the test split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdtasks.core.files import write_json
from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params) -> None:
    """Write `metrics/compare.json` and `plots/compare.npz`."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.evaluate.evaluator import write_arrays
    from kdtasks.evaluate.registry import evaluator_of
    from kdtasks.learn.networks.inference import Predictor
    from kdtasks.learn.networks.saved import load_model
    from kdtasks.learn.teachers.teacher import open_teacher

    def opener(stage: str, seed: int) -> Callable[[], Any]:
        def opens() -> Callable[[Any], Any]:
            predictor = Predictor(load_model(Path("models") / stage / str(seed)))
            return lambda images: predictor.logits(images)[-1]

        return opens

    dataset = open_prepared(Path("data/prepared"))
    evaluator = evaluator_of(dataset.task)
    comparison, shown = evaluator.compare(
        dataset,
        lambda: open_teacher(Path("models/teacher")).logits,
        {seed: opener("student", seed) for seed in params.seeds},
        {seed: opener("distill", seed) for seed in params.seeds},
        params.evaluate,
    )
    write_json(Path("metrics/compare.json"), comparison)
    write_arrays(Path("plots/compare.npz"), **shown)
    metric = evaluator.task.metric
    print(
        f"test {metric.name}: teacher {comparison['teacher'][metric.key]:.4f}, "
        f"student {comparison['student']['mean']:.4f}, "
        f"distilled {comparison['distill']['mean']:.4f}; distillation: "
        f"{comparison['gain']['verdict']}"
    )


if __name__ == "__main__":
    run_stage(main)
