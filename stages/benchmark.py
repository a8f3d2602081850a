"""Measure latency and memory of a variant's bundle on this machine."""

from pathlib import Path

import numpy as np

from kdtasks.atomic import write_json
from kdtasks.datasets.prepared import open_prepared
from kdtasks.edge.model import Model
from kdtasks.edge.scores import NEVER
from kdtasks.evaluation.latency import (
    mean_by_exit,
    peak_memory_mb,
    summarise_latency,
    time_predictions,
)
from kdtasks.exits.refusal import refusal
from kdtasks.params import Params
from kdtasks.processor import read_processor
from kdtasks.stage import run_stage


def main(params: Params, variant: str) -> None:
    """Write `metrics/benchmark/<variant>.json`."""
    bundle = Path("bundles") / variant
    output = Path(f"metrics/benchmark/{variant}.json")
    if refused := refusal(bundle / "manifest.json"):
        write_json(output, refused)
        print(f"{variant}: no model to measure: {refused['refused']}")
        return
    settings = params.benchmark
    # Test pictures are read once, by `evaluate`; calibration pictures leave at the same exits.
    images = open_prepared(Path("data/prepared")).images("calibration")
    order = np.random.default_rng(0).permutation(len(images))[: settings.runs]
    model = Model.load(bundle, threads=settings.threads)
    exits = model.segments.count
    pictures, runs, warmup = images[order], settings.runs, settings.warmup
    early_ms, left_at = time_predictions(model, pictures, runs=runs, warmup=warmup)
    memory = peak_memory_mb()  # before a second model is loaded
    full = Model.load(bundle, thresholds=[NEVER] * (exits - 1), threads=settings.threads)
    full_ms, _ = time_predictions(full, pictures, runs=runs, warmup=warmup)
    content = {
        "latency_ms": summarise_latency(early_ms),
        "full_ms": summarise_latency(full_ms),
        "exit_ms": mean_by_exit(early_ms, left_at, exits),
        "peak_memory_mb": memory,
        "threads": settings.threads,
        "runs": runs,
        "cpu": read_processor().name,
    }
    write_json(output, content)
    early_median, full_median = np.median(early_ms), np.median(full_ms)
    print(f"{variant}: median {early_median:.3f} ms, {full_median:.3f} ms without early exits")


if __name__ == "__main__":
    run_stage(main)
