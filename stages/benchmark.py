"""Measure latency and memory of a variant's bundle on this machine."""

import json

from kdtasks.compress.tflite.targets import judge_target
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.processor import read_processor
from kdtasks.core.records import check_not_refused
from kdtasks.core.records.evaluate import Benchmark, TargetFit
from kdtasks.data.prepared import open_prepared
from kdtasks.edge.bundle_files import MANIFEST, MODEL
from kdtasks.edge.latency import mean_by_exit, peak_memory_mb, rate_by_exit, time_models
from kdtasks.edge.registry import load_predictor
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage(outputs=lambda paths, variant: [paths.metrics("benchmark", variant)])
def main(params: Params, paths: ProjectPaths, variant: str) -> None:
    """Write milliseconds an image, and memory."""
    bundle, settings = paths.bundle(variant), params.benchmark
    check_not_refused(bundle / MANIFEST)
    images = open_prepared(paths.prepared).timed_images(settings.images)
    model = load_predictor(bundle, threads=settings.threads)
    (times,) = time_models([model], images, rounds=settings.rounds, warmup=settings.warmup)
    exits, latency = model.segments.count, times.latency
    content = (bundle / MODEL).read_bytes()
    fits: dict[str, TargetFit] = {
        target: TargetFit.model_validate_json(json.dumps(judge_target(content, target)))
        for target in settings.targets
    }
    Benchmark(
        latency_ms=latency,
        exit_ms=tuple(mean_by_exit(times.milliseconds, times.left_at, exits)),
        exit_rate=tuple(rate_by_exit(times.left_at, exits)),
        peak_memory_mb=peak_memory_mb(),
        threads=settings.threads,
        images=len(images),
        rounds=settings.rounds,
        cpu=read_processor().name,
        targets=fits,
    ).write(paths.metrics("benchmark", variant))
    worst = f", worst case {latency.worst:.3f} ms" if exits > 1 else ""
    print(f"{variant}: mean {latency.mean:.3f} ms an image{worst}")


if __name__ == "__main__":
    run_stage(main)
