"""Judge a variant's bundle on the test split."""

from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.atomic import atomic_file, write_json
from kdtasks.datasets.prepared import open_prepared
from kdtasks.edge.model import Model
from kdtasks.edge.scores import softmax
from kdtasks.evaluation.classification import exit_breakdown, expected_calibration_error
from kdtasks.evaluation.intervals import wilson_interval
from kdtasks.exits.answers import answers_of
from kdtasks.exits.refusal import refusal
from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params, variant: str) -> None:
    """Write `metrics/evaluate/<variant>.json` and `predictions/<variant>.npz`."""
    bundle, output = Path("bundles") / variant, Path(f"metrics/evaluate/{variant}.json")
    predictions: dict[str, Any] = {}
    content: dict[str, Any] | None = refusal(bundle / "manifest.json")
    if content is None:
        data = open_prepared(Path("data/prepared"))
        labels = np.asarray(data.labels("test"))
        model = Model.load(bundle)
        answers = answers_of(model, data.images("test"))
        macs = np.array(model.manifest.macs)
        probabilities = softmax(answers.logits, model.manifest.temperatures)
        right, full_right = answers.predicted == labels, answers.by_exit[:, -1] == labels
        content = {
            "rows": len(labels),
            **_accuracy(right, params.evaluate.confidence),
            "full": _accuracy(full_right, params.evaluate.confidence),
            "cost": float(macs[answers.exit_index].mean() / macs[-1]),
            "exits": exit_breakdown(labels, answers.by_exit, answers.exit_index),
            "calibration_error": [
                expected_calibration_error(probabilities[:, k], labels) for k in range(len(macs))
            ],
        }
        predictions = {"labels": labels, "predicted": answers.predicted}
        predictions |= {"exit_index": answers.exit_index, "logits": answers.logits}
    write_json(output, content)
    with atomic_file(Path("predictions") / f"{variant}.npz") as partial:
        np.savez(partial, **predictions)
    told = content.get("refused") or "accuracy {accuracy:.4f} at cost {cost:.3f}".format(**content)
    print(f"{variant}: {told}")


def _accuracy(right: np.ndarray, confidence: float) -> dict[str, Any]:
    correct, total = int(right.sum()), len(right)
    interval = wilson_interval(correct, total, confidence)
    return {"accuracy": correct / total, "interval": list(interval)}


if __name__ == "__main__":
    run_stage(main)
