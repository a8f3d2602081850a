"""What a finished run has written, and that its parts agree."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.files import read_json
from kdtasks.edge.classifier import Classifier
from kdtasks.params import Params

# The limit holds for the whole run too, which the first test waits for.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

BUNDLE_FILES = {"model.tflite", "manifest.json", "labels.txt", "self_test.npz"}
CONTRACT = Path(__file__).parents[2] / "docs" / "files.md"


def test_every_file_of_the_contract_is_there(project: Path, params: Params):
    page = CONTRACT.read_text(encoding="utf-8")
    splits = ("train", "validation", "calibration", "test")
    braces = {"{train,validation,calibration,test}": splits, "{…}": splits}
    expected = set()
    for row in re.findall(r"^\| (`[^`|]+/.+?) \|", page, flags=re.MULTILINE):
        folder = ""
        for path in re.findall(r"`([^`]+)`", row):
            # `report/index.html`, `selection.json`: names after the first are beside it.
            folder = folder if "/" not in path else path.rpartition("/")[0]
            path = path if "/" in path else f"{folder}/{path}"
            if any(it in path for it in ("<arm>", "<folder>", "_weights")):  # none is asked for
                continue
            scripts = [file.stem for file in (CONTRACT.parents[1] / "stages").glob("*.py")]
            for seed, variant, script in product(params.seeds, params.compress.variants, scripts):
                name = path.replace("<seed>", str(seed)).replace("<variant>", variant)
                name = name.replace("<stage>", script)
                found = [brace for brace in braces if brace in name]
                for choice in braces[found[0]] if found else [""]:
                    expected.add(name.replace(found[0], choice) if found else name)
    assert len(expected) > 30
    assert [name for name in sorted(expected) if not (project / name).exists()] == []
    for folder, names in {
        "models/teacher": {"model.weights.h5", "model.json", "trained_on.npz"},
        "models/student/1": {"model.weights.h5", "model.json"},
        "models/distill/0": {"model.weights.h5", "model.json"},
        "data/targets": {"views.npy", "labels.npy", "logits.npy", "targets.json"},
        "bundles/float32": BUNDLE_FILES,
        "report": {
            "augmentation.png",
            "card.md",
            "index.html",
            "selection.json",
            "statistics.json",
            "summary.json",
        },
    }.items():
        assert names <= {path.name for path in (project / folder).iterdir()}, folder


def test_nothing_half_done_is_left(project: Path):
    assert [str(path) for path in project.rglob(".*partial*")] == []
    assert list((project / ".kdtasks" / "checkpoints").iterdir()) == []


def test_everything_learns(project: Path):
    # Who guesses gets 0.1. With other seeds teachers got 0.93 to 0.96 and students 0.83 to 0.94.
    comparison = read_json(project / "metrics" / "compare.json")
    assert comparison["teacher"]["accuracy"] > 0.8
    for kind in ("student", "distill"):
        accuracies = comparison[kind]["by_seed"]
        assert set(accuracies) == {"0", "1"}
        assert min(accuracies.values()) > 0.6
    assert comparison["gain"]["verdict"]


def test_metrics_of_training_say_what_was_trained(project: Path, params: Params):
    for name in ("teacher", "student/0", "distill/1"):
        metrics = read_json(project / "metrics" / f"{name}.json")
        exits = 1 if name == "teacher" else 2
        epochs = params.teacher.epochs if name == "teacher" else params.distill.epochs
        assert len(metrics["validation"]["accuracy"]) == len(metrics["macs"]) == exits
        assert metrics["epochs"] == epochs
        rows = (project / "plots" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        taught = ",teacher_agreement,alpha,temperature" if name == "distill/1" else ""
        validation = ["loss", "accuracy", "balanced_accuracy", "macro_f1"]
        columns = ["epoch", "loss", "accuracy", *(f"validation_{name}" for name in validation)]
        assert rows[0] == ",".join(columns) + taught
        assert len(rows) == 1 + epochs
        assert ("kept_epoch" in metrics) == (name == "student/0")
        values = map(float, rows[metrics.get("kept_epoch", epochs)].split(","))
        kept = dict(zip(rows[0].split(","), values, strict=True))
        assert kept["validation_loss"] == metrics["validation"]["loss"]
        assert kept["validation_accuracy"] == metrics["validation"]["accuracy"][-1]


def test_the_report_has_its_headline(project: Path):
    page = (project / "report" / "index.html").read_text(encoding="utf-8")
    assert "<h1>Distillation report: tiny-digits</h1>" in page
    headline = re.search(r'<p class="headline">(.+?)</p>', page, flags=re.DOTALL)
    assert headline is not None
    assert "%" in headline.group(1)


def test_metrics_of_evaluate_agree_with_its_predictions(project: Path, variant: str):
    metrics = read_json(project / "metrics" / "evaluate" / f"{variant}.json")
    macs = np.array(read_json(project / "metrics" / "compress" / f"{variant}.json")["macs"])
    with np.load(project / "predictions" / f"{variant}.npz") as arrays:
        labels, predicted = arrays["labels"], arrays["predicted"]
        exit_index, logits = arrays["exit_index"], arrays["logits"]
    rows, exits = len(labels), len(macs)
    np.testing.assert_array_equal(labels, np.load(project / "data/prepared/test_labels.npy"))
    assert metrics["rows"] == rows
    assert logits.shape == (rows, exits, 10)
    by_exit = logits.argmax(axis=-1)
    np.testing.assert_array_equal(predicted, by_exit[np.arange(rows), exit_index])
    assert metrics["accuracy"] == pytest.approx((predicted == labels).mean())
    assert metrics["full"]["accuracy"] == pytest.approx((by_exit[:, -1] == labels).mean())
    low, high = metrics["interval"]
    assert low < metrics["accuracy"] < high
    assert metrics["cost"] == pytest.approx((macs[exit_index] / macs[-1]).mean())
    taken = [exit_["exit_rate"] for exit_ in metrics["exits"]]
    assert taken == pytest.approx(np.bincount(exit_index, minlength=exits) / rows)
    overall = sum(exit_["exit_rate"] * (exit_["accuracy_taken"] or 0) for exit_ in metrics["exits"])
    assert overall == pytest.approx(metrics["accuracy"])


def test_the_bundle_says_on_a_device_what_evaluate_said(project: Path, variant: str):
    model = Classifier.load(project / "bundles" / variant)
    images = np.load(project / "data" / "prepared" / "test_images.npy")[:20]
    with np.load(project / "predictions" / f"{variant}.npz") as arrays:
        expected, exits = arrays["predicted"][:20], arrays["exit_index"][:20]
    predictions = [model.predict(image) for image in images]
    assert [prediction.class_index for prediction in predictions] == expected.tolist()
    assert [prediction.exit_index for prediction in predictions] == exits.tolist()
    assert {prediction.label for prediction in predictions} <= set(model.manifest.class_names)
    assert model.self_test() == 6
    alone = Classifier.load(project / "bundles" / variant / "model.tflite")
    assert [alone.predict(image).exit_index for image in images] == exits.tolist()
