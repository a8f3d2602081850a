"""Measure what the filters of every layer of the best distilled student are worth."""

from pathlib import Path

from kdtasks.core.files import write_json
from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params) -> None:
    """Write `metrics/sensitivity.json`."""
    from kdtasks.compress.pruning.sensitivity import sensitivity
    from kdtasks.core.backend import seed_everything
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.networks.saved import best_seed, load_model
    from kdtasks.learn.training.examples import TrainingExamples

    dataset = open_prepared(Path("data/prepared"))
    seed = best_seed(Path("metrics/distill"), params.seeds)
    seed_everything(seed)
    found = sensitivity(
        load_model(Path("models/distill") / str(seed)),
        rank=params.compress.passes.filters.rank,
        examples=TrainingExamples(dataset.images("train")[None], dataset.labels("train")[None]),
        validation=(dataset.images("validation"), dataset.labels("validation")),
        ignore_label=dataset.ignore_label,
    )
    write_json(Path("metrics/sensitivity.json"), found)
    if "refused" in found:
        print(f"sensitivity: not measured: {found['refused']}")
    for name, figures in found.get("layers", {}).items():
        shares = ", ".join(f"{key}: {value:.4f}" for key, value in figures.items() if "." in key)
        print(f"{name}, {figures['filters']} filters: accuracy without a share of them {shares}")


if __name__ == "__main__":
    run_stage(main)
