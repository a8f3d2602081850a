"""Judge a variant's bundle on the test split."""

from pathlib import Path

from kdtasks.core.records import refusal
from kdtasks.data.prepared import open_prepared
from kdtasks.evaluate.evaluator import files_of
from kdtasks.evaluate.registry import evaluator_of
from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params, variant: str) -> None:
    """Write `metrics/evaluate/`, `predictions/`, `plots/reliability/` and `plots/examples/`."""
    bundle, files = Path("bundles") / variant, files_of(variant)
    if refused := refusal(bundle / "manifest.json"):
        files.write_refusal(refused)
        print(f"{variant}: no model to judge: {refused['refused']}")
        return
    dataset = open_prepared(Path("data/prepared"))
    evaluate = evaluator_of(dataset.task).evaluate
    print(f"{variant}: {evaluate(bundle, dataset, params.evaluate, files)}")


if __name__ == "__main__":
    run_stage(main)
