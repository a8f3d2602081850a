"""Measure latency and memory of a variant's bundle on this machine, and on devices."""

from kdtasks.compress.tflite.accelerators import fit_target
from kdtasks.compress.tflite.estimated_latency import NotEstimatedError, benchmark_at
from kdtasks.core.events import warn
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import check_not_refused
from kdtasks.core.records.benchmark import Benchmark, TimedOnDevice
from kdtasks.data.prepared import open_prepared
from kdtasks.edge.bundle_files import MANIFEST, MODEL
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage(outputs=lambda paths, variant: [paths.metrics("benchmark", variant)])
def main(params: Params, paths: ProjectPaths, variant: str) -> None:
    """Write milliseconds an image, and memory."""
    bundle, settings = paths.bundle(variant), params.benchmark
    check_not_refused(bundle / MANIFEST)
    images = open_prepared(paths.prepared).timed_images(settings.images)
    here, runs = benchmark_at(None, [bundle], images, settings.timing), {}
    for device in settings.devices:
        try:
            runs[device] = benchmark_at(device, [bundle], images, settings.timing)
        except NotEstimatedError as error:
            warn(f"{variant}: {error}")
    content = (bundle / MODEL).read_bytes()
    Benchmark(
        **vars(here.bundles[0]),
        peak_memory_mb=here.peak_memory_mb,
        threads=settings.threads,
        images=len(images),
        rounds=settings.rounds,
        cpu=here.cpu,
        devices={
            device: TimedOnDevice(**vars(run.bundles[0]), **run.machine())
            for device, run in runs.items()
        },
        targets={target: fit_target(content, target) for target in settings.targets},
    ).write(paths.metrics("benchmark", variant))
    for where, run in {"": here, **{f" on {device}": run for device, run in runs.items()}}.items():
        (times,) = run.bundles
        latency = times.latency_ms
        worst = f", worst case {latency.worst:.3f} ms" if len(times.exit_ms) > 1 else ""
        print(f"{variant}{where}: mean {latency.mean:.3f} ms an image{worst}")


if __name__ == "__main__":
    run_stage(main)
