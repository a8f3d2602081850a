"""Build one compressed variant of the best distilled student and convert it to LiteRT."""

from pathlib import Path

from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params, variant: str) -> None:
    """Write `models/compress/<variant>` and `metrics/compress/<variant>.json`."""
    from kdtasks.compress.build import compress, write_variant
    from kdtasks.compress.fine_tuning import fine_tuning_of
    from kdtasks.core.backend import seed_everything
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.networks.saved import best_seed, load_model
    from kdtasks.learn.targets.cached import answer_files, open_targets

    dataset = open_prepared(Path("data/prepared"))
    seed = best_seed(Path("metrics/distill"), params.seeds)
    base, targets = Path("models/distill") / str(seed), Path("data/targets")
    seed_everything(seed)
    fine_tuning = fine_tuning_of(
        params.training(),
        params.distill,
        learning_rate=params.compress.learning_rate,
        variant=variant,
        seed=seed,
        dataset=dataset,
        examples=open_targets(targets, dataset, seed=seed),
        inputs=[base / "model.weights.h5", *answer_files(targets)],
    )
    write_variant(
        variant,
        lambda: compress(
            load_model(base),
            variant,
            params.compress,
            fine_tuning=fine_tuning,
            representative=dataset.images("calibration")[: params.compress.calibration_images],
            class_names=dataset.class_names,
        ),
        base_seed=seed,
        validation=(dataset.images("validation"), dataset.labels("validation")),
        folder=Path("models/compress") / variant,
        metrics=Path("metrics/compress") / f"{variant}.json",
        ignore_label=dataset.ignore_label,
    )
    fine_tuning.remove_checkpoints()


if __name__ == "__main__":
    run_stage(main)
