"""Compare teacher, students from scratch and distilled students on the test split."""

from pathlib import Path

import numpy as np

from kdtasks.atomic import write_json
from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params) -> None:
    """Write `metrics/compare.json`."""
    from kdtasks.datasets.prepared import open_prepared
    from kdtasks.evaluation.comparison import compare
    from kdtasks.models.saved import load_model
    from kdtasks.teachers.teacher import open_teacher
    from kdtasks.training.inference import Predictor

    dataset = open_prepared(Path("data/prepared"))
    images = dataset.images("test")

    def predictions(stage: str) -> dict[int, np.ndarray]:
        models = {seed: load_model(Path("models") / stage / str(seed)) for seed in params.seeds}
        return {
            seed: Predictor(model).logits(images)[-1].argmax(axis=-1)
            for seed, model in models.items()
        }

    comparison = compare(
        dataset.labels("test"),
        open_teacher(Path("models/teacher")).logits(images).argmax(axis=-1),
        predictions("student"),
        predictions("distill"),
        confidence=params.evaluate.confidence,
        bootstrap_samples=params.evaluate.bootstrap_samples,
        seed=params.evaluate.seed,
    )
    write_json(Path("metrics/compare.json"), comparison)
    print(
        f"test accuracy: teacher {comparison['teacher']['accuracy']:.4f}, "
        f"student {comparison['student']['mean']:.4f}, "
        f"distilled {comparison['distill']['mean']:.4f}; distillation: "
        f"{comparison['gain']['verdict']}"
    )


if __name__ == "__main__":
    run_stage(main)
