"""A project's files as the stages would write them, from a seeded generator."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.files import write_arrays, write_csv, write_json
from kdtasks.edge.classifier import BatchPredictions
from kdtasks.edge.scores import max_probability
from kdtasks.evaluate.class_score import ClassScore
from kdtasks.evaluate.classification import evaluate_answers
from kdtasks.evaluate.evaluator import RELIABILITY, reliability_rows
from kdtasks.evaluate.examples import pick_differences, pick_examples, pick_mistakes
from kdtasks.evaluate.score import compare_scores
from kdtasks.evaluate.settings import EvaluateParams
from kdtasks.params import Params

ROWS, CLASSES = 1000, 10
METRICS = ("accuracy", "balanced_accuracy", "macro_f1")
NAMES = tuple(map(str, range(CLASSES)))
# Accuracy of every exit, bytes, gzipped bytes, MACs up to every exit, milliseconds.
VARIANTS: dict[str, Any] = {
    "float32": ([0.82, 0.925, 0.966], 38_420, 31_950, [57_000, 168_000, 286_000], 0.061),
    "int8": ([0.815, 0.922, 0.964], 20_336, 14_210, [57_000, 168_000, 286_000], 0.048),
    "magnitude+int8": ([0.80, 0.91, 0.957], 20_336, 8_130, [57_000, 168_000, 286_000], 0.048),
    "filters+int8": ([0.74, 0.87, 0.938], 13_904, 8_820, [29_000, 61_000, 92_000], 0.027),
}


def write_project(root: Path, params: Params, *, gain: float, exits: int) -> None:
    """Write every file that the report reads.

    Args:
        gain: of the distilled student over the one alone, in accuracy.
        exits: of every variant, 1 to 3.
    """
    generator = np.random.default_rng(20)
    labels = generator.integers(0, CLASSES, ROWS)
    hardness = generator.random(ROWS)
    _write_data(root)
    _write_labels(root)
    _write_training(root, params, generator, gain)
    _write_compare(root, params, labels, hardness, generator, gain)
    _write_sensitivity(root)
    for variant in params.compress.variants:
        _write_variant(
            root, variant, labels, hardness, generator, exits, params.seeds[-1], params.evaluate
        )


def _answers(
    labels: np.ndarray, hardness: np.ndarray, share: float, generator: np.random.Generator
) -> np.ndarray:
    right = hardness + generator.normal(0, 0.01, len(labels)) < share
    return np.where(right, labels, (labels + 1) % CLASSES)


def _write_data(root: Path) -> None:
    totals = {"train": 2997, "validation": 500, "calibration": 500, "test": 1000}
    names = [str(digit) for digit in range(CLASSES)]
    write_json(
        root / "data/prepared/dataset.json",
        {
            "name": "mnist-5k",
            "task": "classification",
            "class_names": names,
            "image_shape": [28, 28, 1],
            "ignore_label": None,
            "counts": {
                split: {
                    "total": total,
                    "by_class": {name: total // 10 + (int(name) < total % 10) for name in names},
                }
                for split, total in totals.items()
            },
            "sha256": {},
            "duplicates": [{"images": ["17", "2210"], "labels": ["0"]}],
            "contradictions": [{"images": ["301", "4090"], "labels": ["4", "9"]}],
            "excluded": [{"path": "row 12", "problem": "blank <image>"}],
            "groups": {"total": 4940, "shared": 63, "largest": 5},
            "split_by": "stratified",
        },
    )


def _write_labels(root: Path) -> None:
    counts = {"train": 300, "hidden": 2697, "unlabelled": 40, "validation": 500, "calibration": 500}
    write_json(root / "metrics/labels.json", {**counts, "by_class": {"0": 30}})
    confidence = {"images": 42, "excluded": 2, "by_confidence": [0, 0, 0, 2, 1, 0, 0, 0, 9, 30]}
    targets = {"mode": "online", "images": 3037, "features": [], "unlabelled": confidence}
    write_json(root / "data/targets/targets.json", targets)
    forecast = {
        "outlook": "likely to help",
        "advice": "likely to help: the teacher’s lead is +8.8 points",
        "rows": 500,
        "teacher": 0.988,
        "student": 0.9,
        "epochs": 5,
        "lead": [0.056, 0.131],
        "agreement": 0.91,
        "calibration_error": 0.019,
        "confidence": 0.984,
        "temperature": 2.0,
        "entropy": 0.784,
        "labels": 300,
        "images": 3037,
        "sure": 30 / 42,
    }
    write_json(root / "metrics/prospect.json", forecast)
    least_confident = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    unsure = {
        "images": least_confident,
        "classes": np.array([3, 8]),
        "confidence": np.array([0.3, 0.4]),
    }
    write_arrays(root / "plots/unsure.npz", **unsure)


def _write_sensitivity(root: Path) -> None:
    layers = {"block_1_conv": 0.9, "block_2_conv": 0.95, "left_conv+right_conv": 0.4}
    write_json(
        root / "metrics/sensitivity.json",
        {
            "rows": 500,
            "accuracy": 0.966,
            "layers": {
                name: {"filters": 8, "0.25": 0.96, "0.5": (0.96 + worst) / 2, "0.75": worst}
                for name, worst in layers.items()
            },
        },
    )


def _write_training(
    root: Path, params: Params, generator: np.random.Generator, gain: float
) -> None:
    macs = [57_000, 168_000, 286_000]
    runs = [("teacher", params.teacher.seed, 0.979, 20, [4_300_000], 185_000)]
    for seed in params.seeds:
        runs.append((f"student/{seed}", seed, 0.953, 30, macs, 6_900))
        runs.append((f"distill/{seed}", seed, 0.953 + gain, 30, macs, 6_900))
    for name, seed, final, epochs, macs, parameters in runs:
        reached = [0.82, 0.92][: len(macs) - 1]
        accuracies = [final - (0.3 * 0.8**e) + generator.normal(0, 0.002) for e in range(epochs)]
        write_json(
            root / f"metrics/{name}.json",
            {
                "validation": {
                    **{key: [*reached, round(accuracies[-1], 3)] for key in METRICS},
                    "loss": 0.2 * (1 - final),
                },
                "parameters": parameters,
                "macs": macs,
                "epochs": epochs,
                "seed": seed,
            },
        )
        path = root / f"plots/{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"])
            for epoch, accuracy in enumerate(accuracies, start=1):
                loss = 3 * (1.01 - accuracy)
                writer.writerow([epoch, loss * 0.9, accuracy + 0.01, loss, accuracy])


def _write_compare(
    root: Path,
    params: Params,
    labels: np.ndarray,
    hardness: np.ndarray,
    generator: np.random.Generator,
    gain: float,
) -> None:
    def score(share: float) -> ClassScore:
        answers = _answers(labels, hardness, share, generator)
        return ClassScore(labels, answers, NAMES, params.evaluate)

    def students(share: float) -> dict[int, ClassScore]:
        return {seed: score(share + generator.normal(0, 0.001)) for seed in params.seeds}

    alone, distilled, teacher = students(0.951), students(0.951 + gain), score(0.979)
    arms: dict[str, dict[int, ClassScore]] = {
        arm: students(0.951 + gain / 2) for arm in params.distill.arms
    }
    comparison = compare_scores(teacher, alone, distilled, arms)
    comparison.write(root / "metrics/compare.json")
    answers = {"teacher": teacher.predicted, "distill": distilled[params.seeds[0]].predicted}
    rows, counts = pick_differences(labels, *answers.values())
    shown = {name: predicted[rows] for name, predicted in answers.items()}
    shown |= {"images": np.zeros((len(rows), 28, 28, 1), np.uint8), "labels": labels[rows]}
    write_arrays(root / "plots/compare.npz", counts=counts, **shown)
    write_json(root / "metrics/label_errors.json", {"refused": "nobody judged them here"})


def _write_variant(
    root: Path,
    variant: str,
    labels: np.ndarray,
    hardness: np.ndarray,
    generator: np.random.Generator,
    exits: int,
    base_seed: int,
    settings: EvaluateParams,
) -> None:
    shares, size, gzipped, macs, milliseconds = VARIANTS[variant.removeprefix("space_to_depth+")]
    shares, macs = shares[-exits:], macs[-exits:]
    predicted = np.stack([_answers(labels, hardness, share, generator) for share in shares], axis=1)
    # Easy rows leave early: the hardness is a stand-in for the confidence.
    limits = [0.55, 0.85][2 - (exits - 1) :]
    exit_index = np.searchsorted(limits, hardness + generator.normal(0, 0.06, ROWS))
    answered = predicted[np.arange(ROWS), exit_index]
    cost = float(np.mean(np.array(macs)[exit_index]) / macs[-1])
    write_json(
        root / f"metrics/compress/{variant}.json",
        {
            "variant": variant,
            "base_seed": base_seed,
            "bytes": size + 900,  # at most, which the report has no use for
            "gzip_bytes": gzipped + 900,
            "parameters": 6_900,
            "nonzero_parameters": 1_700 if "magnitude" in variant else 6_900,
            "macs": macs,
            "validation": {"accuracy": shares},
            "tensors": {},
            "sparsity": 0.0,
            "distinct_weights": 200,
            "parity": {
                "rows": 300,
                "tolerance": 0.25,
                "exits": [{"error": 0.0174, "changed": 0.01, "interval": [0.0034, 0.029]}] * exits,
            },
        },
    )
    write_json(root / f"metrics/export/{variant}.json", {"bytes": size, "gzip_bytes": gzipped})
    write_json(
        root / f"exits/{variant}/calibration.json",
        {
            "mode": "drop",
            "score": "max_probability",
            "temperatures": [1.31, 1.12, 1.04][-exits:],
            "thresholds": [0.93, 0.88][2 - (exits - 1) :],
            "macs": macs,
            "expected": {
                "accuracy": shares[-1] - 0.006,
                "cost": max(0.0, cost - 0.01),
                "exit_rate": (np.bincount(exit_index, minlength=exits) / ROWS).tolist(),
            },
            "full": {"accuracy": shares[-1]},
            "rows": 500,
            "validation": {**dict.fromkeys(METRICS, shares[-1]), "cost": cost},
            **({"expected_drop": 0.004} if exits > 1 else {}),
        },
    )
    path = root / f"exits/{variant}/tradeoff.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["cost", "accuracy"])
        for step in np.linspace(macs[0] / macs[-1], 1, 40 if exits > 1 else 1):
            writer.writerow([step, shares[-1] - 0.14 * (1 - step) ** 3])
    left_at = np.array([exit_index[:8] * (place > 19) for place in range(40)], np.uint8)
    leaving = {"early": np.linspace(1, 0, 40), "left_at": left_at}
    pixels = np.zeros((8, 28, 28, 1), np.uint8)
    write_arrays(root / f"exits/{variant}/leaving.npz", images=pixels, **leaving)
    # Logits whose softmax is sure of the answer, less sure where the row is hard.
    logits = np.eye(CLASSES, dtype=np.float32)[predicted] * (9 - 7 * hardness)[:, None, None]
    images = generator.integers(0, 256, (ROWS, 28, 28, 1), np.uint8)
    answers = BatchPredictions(logits, predicted, exit_index, answered)
    temperatures = [1.31, 1.12, 1.04][-exits:]
    content, bins = evaluate_answers(
        ClassScore(labels, answered, NAMES, settings),
        answers,
        macs=macs,
        temperatures=temperatures,
        commonest=0,
    )
    content.write(root / f"metrics/evaluate/{variant}.json")
    write_csv(root / f"plots/reliability/{variant}.csv", RELIABILITY, reliability_rows(bins))
    scores = max_probability(logits, np.array(temperatures))
    rows, group = pick_examples(predicted, exit_index, scores)
    taken = scores[np.arange(ROWS), exit_index]
    mistakes = pick_mistakes(labels, answered, taken)
    examples = {
        "mistakes": images[mistakes],
        "mistakes_labels": labels[mistakes],
        "mistakes_answers": answered[mistakes],
        "mistakes_confidence": taken[mistakes],
        "images": images[rows],
        "group": group,
        "labels": labels[rows],
        "by_exit": predicted[rows],
        "exit_index": exit_index[rows],
    }
    write_arrays(root / f"plots/examples/{variant}.npz", **examples)
    times = {"p50": milliseconds, "p90": milliseconds * 1.4, "p99": milliseconds * 2.2}
    write_json(
        root / f"metrics/benchmark/{variant}.json",
        {
            "latency_ms": {**times, "mean": milliseconds * 1.1, "worst": milliseconds * 2.3},
            "exit_ms": [milliseconds * factor for factor in (0.7, 1.3, 1.9)[-exits:]],
            "exit_rate": [1 / exits] * exits,
            "peak_memory_mb": 41.5,
            "threads": 1,
            "images": 300,
            "rounds": 5,
            "cpu": "Example CPU",
        },
    )
