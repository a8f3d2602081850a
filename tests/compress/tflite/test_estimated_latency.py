"""Vela's estimate in the place of a measured latency."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from kdtasks.compress.tflite import estimated_latency
from kdtasks.compress.tflite.estimated_latency import NotEstimatedError, benchmark_at
from kdtasks.compress.tflite.vela import estimate
from kdtasks.core.accelerators import Fallback, TargetSegment
from kdtasks.edge.benchmark import Timing, time_bundles

MODEL = Path(__file__).parents[3] / "results/mlperf-tiny/int8.tflite"  # two exits
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
TIMING = Timing(threads=1, rounds=2, warmup=0)
POOL = Fallback("AVERAGE_POOL_2D", "pool", "stride")


def segment(milliseconds: float | None, sram: int, *fallbacks: Fallback) -> TargetSegment:
    figures = (100, milliseconds, sram, 1, 0, "Deep, 200 MHz")
    return TargetSegment(3, len(fallbacks), fallbacks, *figures)


@pytest.fixture
def estimated(monkeypatch: pytest.MonkeyPatch) -> dict[str, TargetSegment]:
    """What Vela is made to say, by segment; three of four images leave at the first exit."""
    found = {"segment_1": segment(0.5, 3000), "segment_0": segment(0.25, 2000, POOL)}
    monkeypatch.setattr(estimated_latency, "estimate", lambda content, accelerator: found)

    def timed(bundles, images, timing):
        run = time_bundles(bundles, images, timing)
        return replace(run, bundles=(replace(run.bundles[0], exit_rate=(0.75, 0.25)),))

    monkeypatch.setattr(estimated_latency, "time_bundles", timed)
    return found


def test_segments_add_up_as_images_leave(estimated: dict[str, TargetSegment]) -> None:
    run = benchmark_at("ethos-u55-128", [MODEL], IMAGES, TIMING)
    [times] = run.bundles
    # Three images take 0.25 ms, one 0.75 ms; percentiles lie between them as numpy's do.
    assert asdict(times.latency_ms) == pytest.approx(
        {"mean": 0.375, "p50": 0.25, "p90": 0.6, "p99": 0.735, "worst": 0.75}
    )
    assert times.exit_ms == (0.25, 0.75)
    assert run.peak_memory_mb == 0.003
    assert run.cpu == "Vela’s estimate, Deep, 200 MHz"


@pytest.mark.parametrize(
    "worse",
    [
        segment(0.5, 1, Fallback("CONV_2D", "x", "stride")),
        segment(None, 1),
        replace(segment(0.5, 1, POOL), left=2),  # one that no sentence names
    ],
)
def test_work_that_is_left_to_the_processor_has_no_estimate(
    estimated: dict[str, TargetSegment], worse: TargetSegment
) -> None:
    estimated["segment_1"] = worse
    message = r"ethos-u55-128 leaves .+ of int8\.tflite’s segment_1 to the processor"
    with pytest.raises(NotEstimatedError, match=message):
        benchmark_at("ethos-u55-128", [MODEL], IMAGES, TIMING)


def test_other_devices_are_asked_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimated_latency, "benchmark_on", lambda *given: given[0])
    assert [benchmark_at(it, [], [], TIMING) for it in (None, "ssh://pi")] == [None, "ssh://pi"]


def test_vela_itself_is_asked() -> None:
    pytest.importorskip("ethosu.vela", reason="pip install 'kdtasks[ethos]'")
    run = benchmark_at("ethos-u55-256", [MODEL], IMAGES, TIMING)
    segments = estimate(MODEL.read_bytes(), "ethos-u55-256").values()
    together = sum(it.milliseconds or 0 for it in segments)
    assert run.bundles[0].latency_ms.worst == pytest.approx(together)
