"""What early exits and their teachers are worth over seeds, measured on the exported files.

Each arm is a project whose students of all seeds are trained; the first is what the others are
compared with. Of every student the accuracy at each exit is taken, then its float32 and int8 file
is calibrated as the project's params say, judged on the test split with really stopping, and timed
against the first arm's file of the same seed, image by image in turn, in one thread. Gains are
paired over the seeds, with t intervals.

    python -m benchmarks.exit_training --out results/brevis-alexnet \
        "plain=../plain:student" "exits=.:student" "distilled=../distilled:distill" …

It writes `exits.json`, `table.md` and `epochs.png` (validation accuracy of the last exit).
"""

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.loose_model import loose_model
from kdtasks.core.files import write_json, write_text
from kdtasks.core.processor import read_processor
from kdtasks.core.reproducibility import pin_process
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.scores import apply_policy
from kdtasks.edge.segments import Segments
from kdtasks.evaluate.comparison import gain_of
from kdtasks.evaluate.exits.rows import exit_rows
from kdtasks.params.load import load_params

_FORMATS = ("float32", "int8")
_WARMUP = 20


class Arm(NamedTuple):
    """A way of training."""

    name: str
    project: Path
    stage: str


def main() -> None:
    """Judge every arm; print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("arms", nargs="+", help="NAME=PROJECT:STAGE, the plain network first")
    parser.add_argument("--runs", type=int, default=2000, help="images that are timed")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    options = parser.parse_args()
    pin_process(1)
    arms = [_arm(text) for text in options.arms]
    judged = {arm.name: _judge(arm) for arm in arms}
    _time_in_turn(judged, options.runs)
    content: dict[str, Any] = {
        "cpu": read_processor().name,
        "threads": 1,
        "arms": {name: _summary(seeds, judged[arms[0].name]) for name, seeds in judged.items()},
    }
    table = _table(content["arms"])
    write_json(options.out / "exits.json", content)
    write_text(options.out / "table.md", table)
    _draw(arms, options.out / "epochs.png")
    print(table)


def _arm(text: str) -> Arm:
    name, _, place = text.partition("=")
    project, _, stage = place.rpartition(":")
    return Arm(name, Path(project), stage)


def _judge(arm: Arm) -> dict[int, dict[str, Any]]:
    """Test figures of every seed, each with its calibrated models under `models`."""
    from kdtasks.compress.convert import convert
    from kdtasks.compress.tflite.average_pooling import pool_as_convolution
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.networks.inference import ForwardPass
    from kdtasks.learn.networks.saved import load_model

    params = load_params(arm.project / "params.yaml")
    data = open_prepared(arm.project / "data/prepared")
    images, labels = np.asarray(data.images("test")), np.asarray(data.labels("test"))
    seeds = {}
    for seed in params.seeds:
        network = load_model(arm.project / "models" / arm.stage / str(seed))
        figures: dict[str, Any] = {
            "accuracy": [
                float((classes == labels).mean())
                for classes in ForwardPass(network).classes(images)
            ],
            "macs": network.macs(),
            "models": {},
            "images": images,
        }
        for number_format in _FORMATS:
            content = convert(
                network,
                number_format=number_format,
                representative=data.images("calibration")[: params.compress.representative_images],
            )
            if number_format == "int8":
                content = pool_as_convolution(content)
            figures[number_format] = _stopping(content, network.macs(), params, data)
            chosen = figures[number_format].pop("chosen")
            figures["models"][number_format] = loose_model(
                content,
                network.macs(),
                chosen["thresholds"],
                chosen["temperatures"],
                score=params.exits.score,
            )
        print(f"{arm.name} seed {seed}: {figures['accuracy']}", flush=True)
        seeds[seed] = figures
    return seeds


def _stopping(content: bytes, macs: Sequence[int], params: Any, data: Any) -> dict[str, Any]:
    """Calibrate one file, then let the images of the test split leave where they will."""
    from kdtasks.evaluate.exits.calibrate import calibrate

    segments = Segments(content)
    chosen: dict[str, Any] = {"thresholds": [], "temperatures": [1.0]}
    if len(macs) > 1:
        split = (segments.logits_of(data.images("calibration")), data.labels("calibration"))
        found, _ = calibrate(
            split, split, params.exits, macs=macs, seen_rows=params.compress.representative_images
        )
        chosen = found.model_dump(mode="json", exclude_defaults=True)
    logits, labels = segments.logits_of(data.images("test")), np.asarray(data.labels("test"))
    rows = exit_rows(
        logits, labels, temperatures=chosen["temperatures"], macs=macs, score=params.exits.score
    )
    left_at = apply_policy(rows.scores, chosen["thresholds"])
    answers = logits[np.arange(len(logits)), left_at].argmax(axis=-1)
    return {
        "accuracy": float((answers == labels).mean()),
        "accuracy_of_the_last_exit": float((logits[:, -1].argmax(axis=-1) == labels).mean()),
        "mean_macs": float(np.asarray(macs)[left_at].mean()),
        "exit_rate": (np.bincount(left_at, minlength=len(macs)) / len(labels)).tolist(),
        "bytes": len(content),
        "chosen": chosen,
    }


def _time_in_turn(judged: dict[str, dict[int, dict[str, Any]]], runs: int) -> None:
    """Add the mean milliseconds an image to every seed's figures, and take the models out."""
    first = next(iter(judged.values()))
    for seed, of_first in first.items():
        images = of_first["images"]
        for number_format in _FORMATS:
            models = {name: seeds[seed]["models"][number_format] for name, seeds in judged.items()}
            seconds = {name: np.empty(runs) for name in models}
            for run in range(-_WARMUP, runs):
                for name, model in models.items():
                    elapsed = _time(model, images[run % len(images)])
                    if run >= 0:
                        seconds[name][run] = elapsed
            # Images at which the machine did something else are left out of all arms.
            typical = np.median(list(seconds.values()), axis=0)
            kept = typical <= np.quantile(typical, 0.99)
            for name, each in seconds.items():
                judged[name][seed][number_format]["mean_ms"] = 1e3 * float(each[kept].mean())
    for seeds in judged.values():
        for figures in seeds.values():
            del figures["models"], figures["images"]


def _time(model: Classifier, image: np.ndarray) -> float:
    start = time.perf_counter()
    model.predict(image)
    return time.perf_counter() - start


def _summary(seeds: dict[int, dict[str, Any]], plain: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds, and the paired gains over the first arm."""
    found: dict[str, Any] = {
        "by_seed": seeds,
        "accuracy": np.mean([one["accuracy"] for one in seeds.values()], axis=0).tolist(),
    }
    for number_format in _FORMATS:
        figures = [one[number_format] for one in seeds.values()]
        before = [one[number_format] for one in plain.values()]
        gains = gain_of(
            {seed: one[number_format]["accuracy"] for seed, one in seeds.items()},
            {seed: one[number_format]["accuracy"] for seed, one in plain.items()},
            bootstrap=None,
            confidence=0.95,
        )
        pairs = list(zip(before, figures, strict=True))
        found[number_format] = {
            "accuracy": float(np.mean([one["accuracy"] for one in figures])),
            "gain": gains.model_dump(),
            "macs_saved": float(
                np.mean([1 - new["mean_macs"] / old["mean_macs"] for old, new in pairs])
            ),
            "speedup": float(np.mean([old["mean_ms"] / new["mean_ms"] for old, new in pairs])),
            "mean_ms": float(np.mean([one["mean_ms"] for one in figures])),
            "exit_rate": np.mean([one["exit_rate"] for one in figures], axis=0).tolist(),
            "bytes": figures[0]["bytes"],
        }
    return found


def _table(arms: dict[str, Any]) -> str:
    exits = max(len(arm["accuracy"]) for arm in arms.values())
    heads = [f"exit {index}" for index in range(exits)]
    lines = [
        "| | " + " | ".join(heads) + " | file | stopping early | gain, points | left at each exit "
        "| MACs saved | ms an image | times as fast |",
        "|---" * (exits + 8) + "|",
    ]
    for name, arm in arms.items():
        accuracies = [""] * (exits - len(arm["accuracy"])) + [
            f"{accuracy:.1%}" for accuracy in arm["accuracy"]
        ]
        for number_format in _FORMATS:
            figures = arm[number_format]
            interval = figures["gain"]["interval"]
            spread = (
                "" if interval is None else f" ({_signed(interval[0])} to {_signed(interval[1])})"
            )
            cells = [
                name if number_format == _FORMATS[0] else "",
                *(accuracies if number_format == _FORMATS[0] else [""] * exits),
                number_format,
                f"{figures['accuracy']:.1%}",
                f"{_signed(figures['gain']['mean'])}{spread}",
                " ".join(f"{share:.0%}" for share in figures["exit_rate"]),
                f"{figures['macs_saved']:.0%}",
                f"{figures['mean_ms']:.3f}",
                f"{figures['speedup']:.2f}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _draw(arms: Sequence[Arm], path: Path) -> None:
    """Validation accuracy of the last exit after every epoch: mean and range of the seeds."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    matplotlib.rcParams["axes.spines.top"] = matplotlib.rcParams["axes.spines.right"] = False
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for arm in arms:
        curves = []
        for file in sorted((arm.project / "plots" / arm.stage).glob("*.csv")):
            with file.open() as lines:
                curves.append([float(row["validation_accuracy"]) for row in csv.DictReader(lines)])
        epochs, values = np.arange(1, len(curves[0]) + 1), np.array(curves)
        (line,) = axes.plot(epochs, values.mean(axis=0), label=arm.name, linewidth=1.6)
        axes.fill_between(
            epochs, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.15
        )
    axes.set(xlabel="epoch", ylabel="validation accuracy of the last exit")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
