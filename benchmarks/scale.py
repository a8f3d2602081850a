"""What saturates first: 1,000 devices a minute, a sweep of 10,000 points, an ImageNet-size set.

What one pull, one point and one image take is counted or measured here, in processor time, which
other work on the machine stretches less than time; the rest is arithmetic on it, and a queue.

    python -m benchmarks.scale [--write]      # two minutes; --write docs/scale.json
"""

import argparse
import hashlib
import io
import multiprocessing
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from packaging.version import Version
from PIL import Image

from kdtasks.core.files import json_text, write_json
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import parse_reference
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.pull import Puller
from kdtasks.edge.decoder import Decoder
from kdtasks.orchestrate.sweep.plan import SweepOptions, plan_sweep
from kdtasks.orchestrate.sweep.results import KeptResult, PointResult
from kdtasks.orchestrate.sweep.statistics import point_gains

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests" / "kept"  # a store with a bundle as the pipeline makes them
FIGURES = ROOT / "docs" / "scale.json"

DEVICES = 1_000  # a minute
POINTS = 10_000
IMAGES, SIDE, CLASSES = 1_281_167, 224, 1_000  # ImageNet's training split
GETS_PER_SECOND = 5_500  # S3, of one prefix, by its documentation
DOLLARS_PER_REQUEST, DOLLARS_PER_GB = 0.0004 / 1_000, 0.09  # S3's first prices, us-east-1, 2026


class Counted:
    """A store that counts what is asked of it, and the bytes that it gives."""

    def __init__(self, objects: Any) -> None:
        """Args: `objects`, the store."""
        self._objects, self.calls, self.bytes = objects, Counter[str](), 0

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._objects, name)
        if not callable(value):
            return value

        def asked(*given: Any, **named: Any) -> Any:
            self.calls[name] += 1
            found = value(*given, **named)
            if name == "read":
                self.bytes += len(found.data)
            elif name == "download":
                self.bytes += given[1].tell()
            return found

        return asked


def processor_seconds(work: Callable[[], Any]) -> float:
    """Time a call by this process's processor time."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def pulls() -> dict[str, Any]:
    """Count what a device asks for: with an empty cache, and again."""
    store = open_objects(max(KEPT.glob("*/store"), key=lambda path: Version(path.parent.name)))
    with tempfile.TemporaryDirectory() as name:
        found = {}
        counted = Counted(store)
        device = Puller(objects=counted, cache=Cache(Path(name) / "device"))
        for what in ("new model", "nothing new"):
            counted.calls, counted.bytes = Counter(), 0
            seconds = processor_seconds(lambda: device.pull(parse_reference("classes@production")))
            found[what] = {
                "requests": sum(counted.calls.values()),
                "bytes": counted.bytes,
                "device_seconds": round(seconds, 4),
            }
    return found


def waits(requests_per_device: int, *, spread: float, rate: float) -> dict[str, float]:
    """Let 1,000 devices ask within a minute, and a store answer so many requests a second.

    A queue with one server (Lindley's recursion): a device's requests come one behind the other,
    as if the device did not wait for them, which is the worst case.

    Args:
        spread: seconds within which the devices begin; 60 is evenly over the minute.
        rate: requests a second.

    Returns:
        the store's load, and the wait in seconds: 99th percentile, and the longest.
    """
    rng = np.random.default_rng(0)
    arrivals = np.repeat(np.sort(rng.uniform(0, spread, DEVICES)), requests_per_device)
    free = np.maximum.accumulate(arrivals - np.arange(len(arrivals)) / rate)
    wait = free + np.arange(len(arrivals)) / rate - arrivals
    return {
        "load": round(len(arrivals) / rate / 60, 4),
        "p99_wait": round(float(np.quantile(wait, 0.99)), 4),
        "longest_wait": round(float(wait.max()), 4),
    }


def devices() -> dict[str, Any]:
    """What a minute's devices ask of a store, what a day of them costs, and when it is full."""
    found = pulls()
    calm, busy = found["nothing new"], found["new model"]
    minutes = 24 * 60
    requests = calm["requests"] * DEVICES * minutes
    gigabytes = busy["bytes"] * DEVICES / 1e9
    return {
        **found,
        "requests_a_second": round(calm["requests"] * DEVICES / 60, 1),
        "store_full_at_devices_a_minute": int(GETS_PER_SECOND * 60 / busy["requests"]),
        "new_model_evenly": waits(busy["requests"], spread=60, rate=GETS_PER_SECOND),
        "new_model_within_a_second": waits(busy["requests"], spread=1, rate=GETS_PER_SECOND),
        "own_server_300_a_second": waits(busy["requests"], spread=60, rate=300),
        "dollars_a_day_of_polling": round(requests * DOLLARS_PER_REQUEST, 2),
        "dollars_a_roll_out": round(
            busy["requests"] * DEVICES * DOLLARS_PER_REQUEST + gigabytes * DOLLARS_PER_GB, 4
        ),
    }


def plan(points: int) -> tuple[float, float]:
    """Plan a sweep of so many points of five seeds; half the values of its axes concern stages
    that two points share.

    Returns: processor seconds of all that `kdtasks sweep` does before the points begin, and the
        most megabytes that this process has held.
    """
    axes = {"student.learning_rate": points // 2, "distill.alpha": 2}
    settings = (
        f"{key}={','.join(str((1 + place) / (1 + number)) for place in range(number))}"
        for key, number in axes.items()
    )
    options = SweepOptions(tuple(settings), seeds=5)
    seconds = processor_seconds(lambda: plan_sweep(ROOT, options))
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


def planning(points: int) -> tuple[float, float]:
    """`plan` in a process of its own, whose memory is that of the plan alone."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(plan, points).result()


def sweep() -> dict[str, Any]:
    """What the head of a sweep computes besides the points, for 10,000 of them."""
    tenth_seconds, tenth_megabytes = planning(POINTS // 10)
    seconds, megabytes = planning(POINTS)
    rng = np.random.default_rng(0)

    def scores() -> dict[int, float]:
        return dict(enumerate(rng.normal(0.9, 0.01, 5).tolist()))

    results = {
        str(number): PointResult(
            student=scores(),
            distilled=scores(),
            validation=scores(),
            teacher=0.97,
            rows=1_000,
            bootstrap=(-0.01, 0.01),
            labels=300,
        )
        for number in range(POINTS)
    }
    statistics = processor_seconds(lambda: point_gains(results, compared=POINTS, confidence=0.95))
    kept = len(json_text(KeptResult(inputs="0" * 32, result=results["0"]).content()))
    return {
        "planning_seconds": round(seconds, 1),
        "planning_seconds_of_a_tenth": round(tenth_seconds, 1),
        "planning_megabytes": round(megabytes),
        "planning_megabytes_of_a_tenth": round(tenth_megabytes),
        "statistics_seconds": round(statistics, 1),
        "result_bytes_a_point": kept,
        "days_of_three_minutes_each_on_one_machine": round(POINTS * 3 / 1_440, 1),
    }


def photo(width: int, height: int) -> bytes:
    """A JPEG of ImageNet's usual size, with the detail of a photo."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 25, width // 25, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    noisy = smooth + rng.normal(0, 6, smooth.shape)
    data = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(data, "JPEG", quality=90)
    return data.getvalue()


def images() -> dict[str, Any]:
    """What ImageNet's training split takes: bytes by formula, time by one image."""
    data, decoder, count = photo(500, 375), Decoder(), 40

    def decode() -> None:
        for _ in range(count):
            decoder.read(data, image_size=(SIDE, SIDE), channels=3)
            hashlib.sha256(data).digest()

    decode()
    seconds = processor_seconds(decode) / count
    return {
        "prepared_gb": round(IMAGES * SIDE * SIDE * 3 / 1e9, 1),
        "prepared_gb_at_64": round(IMAGES * 64 * 64 * 3 / 1e9, 1),
        "logits_gb_a_view": round(IMAGES * CLASSES * 2 / 1e9, 2),
        "top_10_logits_gb_a_view": round(IMAGES * (11 * 2 + 10 * 2) / 1e9, 3),
        "decode_ms": round(seconds * 1e3, 2),
        "prepare_core_hours": round(IMAGES * seconds / 3_600, 2),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print all figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help=f"write {FIGURES.name}")
    options = parser.parse_args(arguments)
    found = {"devices": devices(), "sweep": sweep(), "images": images()}
    found["machine"] = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    print(json_text(found), end="")
    if options.write:
        write_json(FIGURES, found)


if __name__ == "__main__":
    main()
