"""The latency of bundles wherever it is asked for: measured here and on devices, or estimated."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kdtasks.compress.tflite.vela import estimate
from kdtasks.core.accelerators import ETHOS_U, TargetSegment
from kdtasks.core.errors import BundleError
from kdtasks.edge.benchmark import BenchmarkRun, BundleTimes, Timing, time_bundles
from kdtasks.edge.bundle_files import MODEL, open_bundle_files
from kdtasks.edge.latency import Images, mean_by_exit, summarise_latency
from kdtasks.evaluate.devices.benchmark import benchmark_on

# Operators that do nearly all of a network's work: left to the processor, they take the time.
_HEAVY = frozenset(["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"])


class NotEstimatedError(BundleError):
    """An accelerator leaves the work of a bundle to the processor, so its own time says little."""


def benchmark_at(
    device: str | None, bundles: Sequence[Path], images: Images, timing: Timing
) -> BenchmarkRun:
    """Time bundles as `benchmark_on` does, or on an Ethos-U as Vela estimates it.

    The estimate is of the accelerator alone: pooling or a softmax that falls back to the processor
    is not counted. Where images leave is what they do here; `peak_memory_mb` is the largest SRAM
    that a segment uses.

    Args:
        device: as of `benchmark.devices`; None for this machine.

    Raises:
        NotEstimatedError: an operator with weights falls back to the processor.
        BundleError: Vela is not installed; or as of `benchmark_on`.
        DeviceError: as of `benchmark_on`.
    """
    if device not in ETHOS_U:
        return benchmark_on(device, bundles, images, timing)
    run = time_bundles(bundles, images, Timing(timing.threads, rounds=1, warmup=0))
    estimates = [_segments(bundle, device) for bundle in bundles]
    return BenchmarkRun(
        bundles=tuple(
            _estimated(times, segments, len(images))
            for times, segments in zip(run.bundles, estimates, strict=True)
        ),
        peak_memory_mb=max(part.sram or 0 for parts in estimates for part in parts) / 1e6,
        cpu=f"Vela’s estimate, {estimates[0][0].system}",
        governor=None,
        celsius_before=None,
        celsius_after=None,
        throttled=None,
    )


def _segments(bundle: Path, device: str) -> list[TargetSegment]:
    """Estimate the segments of a bundle, in order."""
    with open_bundle_files(bundle) as files:
        segments = estimate(files.checked(MODEL, files.manifest().sha256), device)
    for name, segment in segments.items():
        light = sum(fallback.operator not in _HEAVY for fallback in segment.fallbacks)
        if segment.milliseconds is None or segment.left > light:
            left = sorted(
                {fallback.operator for fallback in segment.fallbacks} or {"all operators"}
            )
            raise NotEstimatedError(
                f"{device} leaves {', '.join(left)} of {bundle.name}’s {name} to the processor, "
                "whose time Vela does not know; compress to int8, or choose another device"
            )
    return [
        segments[name] for name in sorted(segments, key=lambda name: int(name.rpartition("_")[2]))
    ]


def _estimated(times: BundleTimes, segments: Sequence[TargetSegment], images: int) -> BundleTimes:
    """Put estimates in the place of times; images leave where they did."""
    until = np.cumsum([segment.milliseconds for segment in segments])
    counts = np.rint(np.array(times.exit_rate) * images).astype(int)
    left_at = np.repeat(np.arange(len(counts)), counts)
    spent = until[left_at]
    return BundleTimes(
        summarise_latency(spent, np.full(images, until[-1])),
        tuple(mean_by_exit(spent, left_at, len(counts))),
        times.exit_rate,
    )
