"""Students of all seeds as int8 files against the published models of MLPerf Tiny's CIFAR-10 task.

Every file answers the same test images, through LiteRT, one thread. The students are distilled
ones of a project; their thresholds are calibrated on its calibration split, for several limits of
accuracy lost against the last exit. All files are timed in turn, image by image; `blocks` is
the student after `space_to_depth`.

    python -m benchmarks.mlperf_tiny PROJECT --published FOLDER --out results/mlperf-tiny

FOLDER holds `pretrainedResnet_quant.tflite` and `pretrainedResnet_large_int8.tflite` of
mlcommons/tiny. It writes `mlperf.json` and `mlperf.md`.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loose_model import loose_model
from kdtasks.core.files import write_json, write_text
from kdtasks.core.processor import read_processor
from kdtasks.core.reproducibility import pin_process
from kdtasks.edge.scores import apply_policy
from kdtasks.edge.segments import Segments
from kdtasks.evaluate.exits.rows import exit_rows
from kdtasks.evaluate.intervals import seeds_interval
from kdtasks.params.load import load_params

PUBLISHED = {
    "published ResNet-8": "pretrainedResnet_quant.tflite",
    "published large": "pretrainedResnet_large_int8.tflite",
}
DROPS = (0.0, 0.001, 0.0025, 0.005, 0.01)
_WARMUP = 50


def main() -> None:
    """Judge every file and time them; print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", type=Path, help="project with distilled students")
    parser.add_argument("--published", type=Path, required=True, help="folder of published files")
    parser.add_argument("--runs", type=int, default=2000, help="images that are timed")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    options = parser.parse_args()
    pin_process(1)
    from kdtasks.data.prepared import open_prepared

    data = open_prepared(options.project / "data/prepared")
    images, labels = np.asarray(data.images("test")), np.asarray(data.labels("test"))
    runs: dict[str, Callable[[np.ndarray], Any]] = {}
    published = {}
    for name, file in PUBLISHED.items():
        content = (options.published / file).read_bytes()
        runs[name] = run = plain(content)
        answers = np.array([int(run(image).argmax()) for image in images])
        published[name] = {
            "bytes": len(content),
            "accuracy": float((answers == labels).mean()),
        }
        print(name, published[name], flush=True)
    students = _students(options.project, data, runs)
    content = {
        "cpu": read_processor().name,
        "threads": 1,
        "published": published,
        "students": students,
        "milliseconds": _time_in_turn(runs, images, options.runs),
    }
    table = _table(content)
    write_json(options.out / "mlperf.json", content)
    write_text(options.out / "mlperf.md", table)
    print(table)


def plain(content: bytes) -> Callable[[np.ndarray], Any]:
    """Run a file of one graph that takes pixels less 128."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]["index"]
    given = interpreter.get_output_details()[0]["index"]

    def run(image: np.ndarray) -> Any:
        interpreter.set_tensor(taken, (image ^ 0x80).view(np.int8)[np.newaxis])
        interpreter.invoke()
        return interpreter.get_tensor(given)[0]

    return run


def _students(project: Path, data: Any, runs: dict[str, Any]) -> dict[str, Any]:
    """Figures of every seed; the runs of the first seed are added to those that are timed."""
    from kdtasks.compress.convert import convert
    from kdtasks.compress.passes.space_to_depth import SpaceToDepth
    from kdtasks.learn.networks.saved import load_model

    params = load_params(project / "params.yaml")
    found = {}
    for seed in params.seeds:
        network = load_model(project / "models/distill" / str(seed))
        content = convert(
            network,
            number_format="int8",
            representative=data.images("calibration")[: params.compress.representative_images],
        )
        figures, chosen = _judge(content, network.macs(), params, data)
        found[str(seed)] = figures
        print(f"seed {seed}: {figures}", flush=True)
        if seed != params.seeds[0]:
            continue
        for name, file in (
            ("student", content),
            ("student, blocks", SpaceToDepth().rewrite(content)),
        ):
            never = [2.0] * (len(network.macs()) - 1)
            runs[f"{name}, all exits"] = loose_model(file, network.macs(), never).predict
            for drop in DROPS:
                runs[f"{name}, drop {drop}"] = loose_model(
                    file, network.macs(), *chosen[drop], score=params.exits.score
                ).predict
    return found


def _judge(content: bytes, macs: list[int], params: Any, data: Any) -> tuple[dict[str, Any], Any]:
    """Test figures of one file, and the thresholds and temperatures for every drop."""
    from kdtasks.evaluate.exits.calibrate import calibrate

    segments, labels = Segments(content), np.asarray(data.labels("test"))
    known, logits = (segments.logits_of(data.images(split)) for split in ("calibration", "test"))
    figures: dict[str, Any] = {
        "bytes": len(content),
        "macs": macs,
        "accuracy_by_exit": [
            float((logits[:, k].argmax(-1) == labels).mean()) for k in range(len(macs))
        ],
        "stopping": {},
    }
    thresholds = {}
    for drop in DROPS:
        settings = params.exits.model_copy(update={"mode": "drop", "max_accuracy_drop": drop})
        split = (known, data.labels("calibration"))
        chosen, _ = calibrate(
            split, split, settings, macs=macs, seen_rows=params.compress.representative_images
        )
        thresholds[drop] = (chosen.thresholds, chosen.temperatures)
        rows = exit_rows(
            logits, labels, temperatures=chosen.temperatures, macs=macs, score=params.exits.score
        )
        left_at = apply_policy(rows.scores, chosen.thresholds)
        answers = logits[np.arange(len(logits)), left_at].argmax(axis=-1)
        figures["stopping"][str(drop)] = {
            "accuracy": float((answers == labels).mean()),
            "mean_macs": float(np.asarray(macs)[left_at].mean()),
            "exit_rate": (np.bincount(left_at, minlength=len(macs)) / len(labels)).tolist(),
        }
    return figures, thresholds


def _time_in_turn(
    runs: dict[str, Callable[[np.ndarray], Any]], images: np.ndarray, count: int
) -> dict[str, dict[str, float]]:
    seconds = {name: np.empty(count) for name in runs}
    for number in range(-_WARMUP, count):
        image = images[number % len(images)]
        for name, run in runs.items():
            start = time.perf_counter()
            run(image)
            if number >= 0:
                seconds[name][number] = time.perf_counter() - start
    # Images at which the machine did something else are left out of all.
    typical = np.median(list(seconds.values()), axis=0)
    kept = typical <= np.quantile(typical, 0.99)
    return {
        name: {
            "mean": 1e3 * float(each[kept].mean()),
            "p50": 1e3 * float(np.median(each)),
            "p99": 1e3 * float(np.quantile(each, 0.99)),
        }
        for name, each in seconds.items()
    }


def _table(content: dict[str, Any]) -> str:
    lines = [
        "| int8 file | test accuracy | bytes | mean MACs | mean ms | p50 | p99 |",
        "|---|---|---|---|---|---|---|",
    ]

    def timing(name: str) -> str:
        found = content["milliseconds"][name]
        return " | ".join(f"{found[key]:.3f}" for key in ("mean", "p50", "p99"))

    for name, figures in content["published"].items():
        lines.append(
            f"| {name} | {figures['accuracy']:.2%} | {figures['bytes']:,} |  | {timing(name)} |"
        )
    seeds = list(content["students"].values())
    last = {seed: one["accuracy_by_exit"][-1] for seed, one in content["students"].items()}
    macs = np.mean([one["macs"][-1] for one in seeds])
    largest = max(one["bytes"] for one in seeds)
    lines.append(
        f"| student, all exits | {_spread(list(last.values()))} | {largest:,} | {macs / 1e6:.2f} M "
        f"| {timing('student, all exits')} |"
    )
    for drop in DROPS:
        stopping = [one["stopping"][str(drop)] for one in seeds]
        mean_macs = float(np.mean([one["mean_macs"] for one in stopping]))
        lines.append(
            f"| stopping early, at most {100 * drop:g} points | "
            f"{_spread([one['accuracy'] for one in stopping])} | | {mean_macs / 1e6:.2f} M "
            f"(−{1 - mean_macs / macs:.0%}) | {timing(f'student, drop {drop}')} |"
        )
    for end in ("all exits", f"drop {DROPS[-1]}"):
        lines.append(
            f"| on blocks of pixels, {end} | the same | | | {timing(f'student, blocks, {end}')} |"
        )
    return "\n".join(lines) + "\n"


def _spread(values: list[float]) -> str:
    interval = seeds_interval(values, 0.95)
    text = f"{np.mean(values):.2%}"
    return text if interval is None else f"{text} ({interval[0]:.2%} to {interval[1]:.2%})"


if __name__ == "__main__":
    main()
