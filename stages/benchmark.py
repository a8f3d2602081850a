"""Measure latency and memory of a variant's bundle on this machine."""

from pathlib import Path

import numpy as np

from kdtasks.core.files import write_json
from kdtasks.core.processor import read_processor
from kdtasks.core.records import refusal
from kdtasks.data.prepared import open_prepared
from kdtasks.edge.latency import time_bundle
from kdtasks.params import Params
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
    dataset = open_prepared(Path("data/prepared"))
    images = dataset.images("calibration")
    order = np.random.default_rng(0).permutation(len(images))[: settings.runs]
    content = {
        **time_bundle(
            bundle,
            images[order],
            threads=settings.threads,
            runs=settings.runs,
            warmup=settings.warmup,
        ).to_json(),
        "threads": settings.threads,
        "runs": settings.runs,
        "cpu": read_processor().name,
    }
    write_json(output, content)
    median, whole = content["latency_ms"]["p50"], content["full_ms"]["p50"]
    early = f", {whole:.3f} ms without early exits" if len(content["exit_ms"]) > 1 else ""
    print(f"{variant}: median {median:.3f} ms{early}")


if __name__ == "__main__":
    run_stage(main)
