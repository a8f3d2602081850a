"""Time bundles in turn on this machine; `run_job` does so where a host has sent them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from kdtasks.core import JsonObject
from kdtasks.core.latency import Latency
from kdtasks.core.processor import read_processor
from kdtasks.edge.conditions import is_throttled, read_conditions
from kdtasks.edge.latency import (
    Images,
    mean_by_exit,
    peak_memory_mb,
    rate_by_exit,
    time_models,
)
from kdtasks.edge.registry import load_predictor

# What a job's folder holds: the bundles in order, the images as an archive of arrays, how to time.
BUNDLES, IMAGES, TIMING = "bundles", "images.npz", "timing.json"


class Timing(NamedTuple):
    """How a bundle is timed.

    Attributes:
        threads: of the LiteRT interpreter.
        rounds: how often every image is timed.
        warmup: predictions before that, not timed.
    """

    threads: int
    rounds: int
    warmup: int


@dataclass(frozen=True)
class BundleTimes:
    """What was measured of one bundle.

    Attributes:
        exit_ms: [K], mean of the images that leave at each exit; None where none does.
        exit_rate: [K], fraction of the images that leave there.
    """

    latency_ms: Latency
    exit_ms: tuple[float | None, ...]
    exit_rate: tuple[float, ...]


@dataclass(frozen=True)
class BenchmarkRun:
    """Bundles that were timed together, and where.

    Attributes:
        peak_memory_mb: of the process, in MB (1,000,000 bytes).
        governor: of the processor's clock; None, as below, where the system does not tell.
        celsius_before, celsius_after: of the hottest sensor.
        throttled: whether the processor was slowed down meanwhile.
    """

    bundles: tuple[BundleTimes, ...]
    peak_memory_mb: float
    cpu: str
    governor: str | None
    celsius_before: float | None
    celsius_after: float | None
    throttled: bool | None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `run_job` gives.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        content: JsonObject = json.loads(text)
        content["bundles"] = tuple(
            BundleTimes(
                Latency(**times["latency_ms"]), tuple(times["exit_ms"]), tuple(times["exit_rate"])
            )
            for times in content["bundles"]
        )
        return cls(**content)

    def machine(self) -> JsonObject:
        """Everything but the times, by name."""
        return {name: value for name, value in vars(self).items() if name != "bundles"}


def time_bundles(bundles: Sequence[Path], images: Images, timing: Timing) -> BenchmarkRun:
    """Time bundles on the same images, as `time_models`.

    Raises:
        BundleError: one cannot be run.
    """
    before = read_conditions()
    models = [load_predictor(bundle, threads=timing.threads) for bundle in bundles]
    by_model = time_models(models, images, rounds=timing.rounds, warmup=timing.warmup)
    after = read_conditions()
    return BenchmarkRun(
        bundles=tuple(
            BundleTimes(
                times.latency,
                tuple(mean_by_exit(times.milliseconds, times.left_at, model.segments.count)),
                tuple(rate_by_exit(times.left_at, model.segments.count)),
            )
            for model, times in zip(models, by_model, strict=True)
        ),
        peak_memory_mb=peak_memory_mb(),
        cpu=read_processor().name,
        governor=after.governor,
        celsius_before=before.celsius,
        celsius_after=after.celsius,
        throttled=is_throttled(before, after),
    )


def run_job(folder: Path) -> str:
    """Time the bundles of a job's folder; gives a run as a line of JSON."""
    with np.load(folder / IMAGES, allow_pickle=False) as arrays:
        images = [image for name in arrays.files for image in arrays[name]]
    bundles = sorted((folder / BUNDLES).iterdir(), key=lambda path: int(path.stem))
    timing = Timing(**json.loads((folder / TIMING).read_text(encoding="utf-8")))
    return json.dumps(asdict(time_bundles(bundles, images, timing)))
