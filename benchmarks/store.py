"""`kdtasks publish` and `kdtasks pull` against `aws s3 cp` of the same bytes, command for command.

Needs an S3 server that boto3 finds (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID …) and the name of an empty
bucket. awscli pins another botocore than DVC does, so it gets an environment of its own:

    python -m venv build/awscli && build/awscli/bin/pip install awscli
    python -m benchmarks.store s3://bucket --aws build/awscli/bin/aws [--quick]

Each turn writes new random files, one large and many small ones, and runs the four commands one
after another; who is first changes from turn to turn. That matters: of two downloads the first is
faster. So the figure reported is the geometric mean of two medians, of the turns in which kdtasks
was first and of those in which it was second: above 1, kdtasks is faster. It does more: it hashes
contents before it sends them, verifies them after they have come, and flushes them to the disk.
"""

import argparse
import functools
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from kdtasks.core.files import write_json
from kdtasks.edge.manifest import Manifest

_MEGABYTE = 1_000_000
# Name of a load to the number of files and their size in bytes.
_LOADS = {"1 x 500 MB": (1, 500 * _MEGABYTE), "500 x 1 MB": (500, _MEGABYTE)}
_QUICK_LOADS = {"1 x 50 MB": (1, 50 * _MEGABYTE), "50 x 1 MB": (50, _MEGABYTE)}


def main() -> None:
    """Print a table, and as the last line one JSON object with the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", help="s3://bucket, whatever is in it is deleted")
    parser.add_argument("--aws", default="aws", help="the aws command of awscli")
    parser.add_argument("--quick", action="store_true", help="less to transfer, fewer turns")
    parser.add_argument("--turns", type=int, help="how often everything is measured, at least 2")
    options = parser.parse_args()
    turns = max(2, options.turns or (2 if options.quick else 6))
    loads = _QUICK_LOADS if options.quick else _LOADS
    ratios: dict[str, list[float]] = {}
    rates: dict[str, list[list[int]]] = {}
    print(
        f"{'load':>12} {'command':>10} {'aws s3 cp':>12} {'kdtasks':>12} {'ratio':>7}   MB a second"
    )
    with tempfile.TemporaryDirectory() as name:
        for turn in range(turns):
            for load, (count, size) in loads.items():
                turn_folder = Path(name) / uuid.uuid4().hex
                seconds = _measure(turn_folder, options, count, size, kdtasks_first=turn % 2 == 0)
                shutil.rmtree(turn_folder)
                for command, (peer, ours) in seconds.items():
                    pair = [round(count * size / _MEGABYTE / one) for one in (peer, ours)]
                    ratios.setdefault(f"{load}, {command}", []).append(peer / ours)
                    rates.setdefault(f"{load}, {command}", []).append(pair)
                    print(
                        f"{load:>12} {command:>10} {pair[0]:>12,} {pair[1]:>12,} "
                        f"{peer / ours:>7.2f}",
                        flush=True,
                    )
    requests = _requests_of_an_unchanged_pull(options.store)
    print(
        json.dumps(
            {
                "kdtasks_over_aws_s3_cp": {
                    name: round(_balanced(values), 3) for name, values in ratios.items()
                },
                "ratios": {
                    name: [round(value, 2) for value in values] for name, values in ratios.items()
                },
                "mb_a_second_of_aws_and_kdtasks": rates,
                "requests_of_an_unchanged_pull": requests,
                "turns": turns,
            }
        )
    )


def _balanced(ratios: Sequence[float]) -> float:
    """Of the ratios of turns, in the first, third … of which kdtasks was first."""
    return statistics.geometric_mean(statistics.median(ratios[first::2]) for first in (0, 1))


def _measure(
    folder: Path, options: argparse.Namespace, count: int, size: int, *, kdtasks_first: bool
) -> dict[str, tuple[float, float]]:
    """Seconds of aws and of kdtasks, for upload and download of the same new files."""
    bundle = _write_bundle(folder / "bundle", count, size)
    there = f"{options.store.rstrip('/')}/{folder.name}"
    copy = (options.aws, "s3", "cp", "--quiet", "--recursive")
    kdtasks = (sys.executable, "-m", "kdtasks")
    store = ("--store", f"{there}/kdtasks")
    environment = {**os.environ, "KDTASKS_CACHE": str(folder / "cache")}
    pairs = {
        "upload": (
            (*copy, str(bundle), f"{there}/aws"),
            (*kdtasks, "publish", str(bundle), "--name", "benchmark", *store),
        ),
        "download": (
            (*copy, f"{there}/aws", str(folder / "copy")),
            (*kdtasks, "pull", "benchmark", *store),
        ),
    }
    seconds = {}
    for command, (peer, ours) in pairs.items():
        order: Sequence[tuple[str, ...]] = (ours, peer) if kdtasks_first else (peer, ours)
        times = {words: _time(words, environment) for words in order}
        seconds[command] = (times[peer], times[ours])
    _check(bundle, folder / "copy")
    subprocess.run([options.aws, "s3", "rm", "--quiet", "--recursive", there], check=True)
    return seconds


def _time(words: Sequence[str], environment: dict[str, str]) -> float:
    os.sync()  # nobody pays for what the one before has left to be written
    start = time.perf_counter()
    subprocess.run(words, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def _write_bundle(folder: Path, count: int, size: int) -> Path:
    """A bundle of random files, the first of which stands for the model."""
    folder.mkdir(parents=True)
    for number in range(count):
        name = "model.tflite" if number == 0 else f"part-{number:03}"
        (folder / name).write_bytes(os.urandom(size))
    with (folder / "model.tflite").open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    manifest = Manifest(
        name="benchmark",
        variant="random",
        task="classification",
        class_names=("none",),
        input={"shape": [1, 1, 1], "dtype": "uint8", "range": [0, 255]},
        segments=1,
        score="max_probability",
        temperatures=(1.0,),
        thresholds=(),
        calibration={},
        macs=(1,),
        bytes=size,
        sha256=sha256,
        dataset_sha256="0" * 64,
        parameters={},
        libraries={},
    )
    write_json(folder / "manifest.json", manifest.to_json())
    return folder


def _check(bundle: Path, copy: Path) -> None:
    names = {path.name for path in bundle.iterdir()}
    assert names == {path.name for path in copy.iterdir()}, "aws has not copied all files"


def _requests_of_an_unchanged_pull(store: str) -> dict[str, int]:
    """Requests of a pull that finds nothing new, by what was asked for."""
    from kdtasks.deploy.store import open_objects
    from kdtasks.deploy.store.address import parse_address, parse_reference
    from kdtasks.deploy.store.bucket import BucketObjects
    from kdtasks.deploy.store.cache import Cache
    from kdtasks.deploy.store.promotion import AliasMover
    from kdtasks.deploy.store.publish import publish
    from kdtasks.deploy.store.pull import Puller

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = _write_bundle(folder / "bundle", 3, 1000)
        objects = open_objects(parse_address(f"{store.rstrip('/')}/{uuid.uuid4().hex}"))
        assert isinstance(objects, BucketObjects), "a bucket is needed"
        found = publish(objects, bundle, name="benchmark").found
        AliasMover(objects, "benchmark", "production").advance(found)
        puller = Puller(objects=objects, cache=Cache(folder / "cache"))
        counts = {}
        for text in ("benchmark@production", "benchmark", "benchmark@1"):
            puller.pull(parse_reference(text))
            counts[text] = _count(objects, functools.partial(puller.pull, parse_reference(text)))
        for entry in tuple(objects.list("")):
            objects.delete(entry.key)
    return counts


def _count(objects: object, action: Callable[[], object]) -> int:
    seen: list[str] = []

    def remember(request: object, **_: object) -> None:
        seen.append(str(request))

    events = objects._client.meta.events  # type: ignore[attr-defined]
    events.register("before-send.s3", remember)
    action()
    events.unregister("before-send.s3", remember)
    return len(seen)


if __name__ == "__main__":
    main()
