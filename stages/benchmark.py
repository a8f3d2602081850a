"""Measure latency and memory of a variant's bundle on this machine."""

import numpy as np

from kdtasks.core.paths import ProjectPaths
from kdtasks.core.processor import read_processor
from kdtasks.core.records import check_not_refused
from kdtasks.core.records.evaluate import Benchmark, Latency
from kdtasks.data.prepared import open_prepared
from kdtasks.edge.bundle_files import MANIFEST
from kdtasks.edge.latency import mean_by_exit, summarise_latency, time_bundle
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage(outputs=lambda paths, variant: [paths.metrics("benchmark", variant)])
def main(params: Params, paths: ProjectPaths, variant: str) -> None:
    """Write milliseconds an image, and memory."""
    bundle = paths.bundle(variant)
    check_not_refused(bundle / MANIFEST)
    settings = params.benchmark
    # Test images are read once, by `evaluate`; calibration images leave at the same exits.
    dataset = open_prepared(paths.prepared)
    images = dataset.images("calibration")
    order = np.random.default_rng(0).permutation(len(images))[: settings.runs]
    times = time_bundle(
        bundle, images[order], threads=settings.threads, runs=settings.runs, warmup=settings.warmup
    )
    found = Benchmark(
        latency_ms=Latency(**summarise_latency(times.milliseconds)),
        full_ms=Latency(**summarise_latency(times.full)),
        exit_ms=tuple(mean_by_exit(times.milliseconds, times.left_at, times.exits)),
        peak_memory_mb=times.peak_memory_mb,
        threads=settings.threads,
        runs=settings.runs,
        cpu=read_processor().name,
    )
    found.write(paths.metrics("benchmark", variant))
    median, whole = found.latency_ms.p50, found.full_ms.p50
    early = f", {whole:.3f} ms without early exits" if len(found.exit_ms) > 1 else ""
    print(f"{variant}: median {median:.3f} ms{early}")


if __name__ == "__main__":
    run_stage(main)
