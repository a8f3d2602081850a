"""Judge a variant's bundle on the test split."""

from pathlib import Path

import numpy as np

from kdtasks.atomic import write_json
from kdtasks.datasets.prepared import open_prepared
from kdtasks.edge.model import Model
from kdtasks.evaluation.bundle import (
    evaluate_answers,
    write_arrays,
    write_examples,
    write_reliability,
)
from kdtasks.exits.answers import answers_of
from kdtasks.exits.refusal import refusal
from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params, variant: str) -> None:
    """Write `metrics/evaluate/`, `predictions/`, `plots/reliability/` and `plots/examples/`."""
    bundle, metrics = Path("bundles") / variant, Path(f"metrics/evaluate/{variant}.json")
    predictions, plots = Path(f"predictions/{variant}.npz"), Path("plots")
    reliability, examples = plots / f"reliability/{variant}.csv", plots / f"examples/{variant}.npz"
    if refused := refusal(bundle / "manifest.json"):
        write_json(metrics, refused)
        write_reliability(reliability, [])
        write_arrays(predictions)
        write_arrays(examples)
        print(f"{variant}: no model to judge: {refused['refused']}")
        return
    data = open_prepared(Path("data/prepared"))
    images, labels = data.images("test"), np.asarray(data.labels("test"))
    model = Model.load(bundle)
    answers, temperatures = answers_of(model, images), model.manifest.temperatures
    content, bins = evaluate_answers(
        labels,
        answers,
        macs=model.manifest.macs,
        temperatures=temperatures,
        confidence=params.evaluate.confidence,
    )
    write_json(metrics, content)
    write_reliability(reliability, bins)
    kept = {"predicted": answers.predicted, "exit_index": answers.exit_index}
    write_arrays(predictions, labels=labels, logits=answers.logits, **kept)
    score = model.manifest.score
    write_examples(examples, images, labels, answers, score=score, temperatures=temperatures)
    print("{0}: accuracy {accuracy:.4f} at cost {cost:.3f}".format(variant, **content))


if __name__ == "__main__":
    run_stage(main)
