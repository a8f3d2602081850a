"""A dataset larger than memory: prepared and trained on under a limit that counts the page cache.

    nice python -m benchmarks.streaming [--gigabytes 2] [--limit-mb 1200] [--epochs 2]
    nice python -m benchmarks.streaming --gigabytes 20 --limit-mb 2000

A generated set is prepared, then a small network trains on it for that many epochs, of which the
last counts (the first compiles, for some seconds), each in a process of its own in a control group
with that limit; a third process, without one, trains two epochs on 250 MB of it held in memory.
Memory is flat where the anonymous one is at most what it was halfway, and the two trainings should
differ by less than a fifth in images a second. The files' pages are dropped from the page cache
before each, so that the group pays for every page that it reads. Needs Linux, the rights to make a
control group (tried with the memory controller of version 1), and twice the set's size on the disk.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from kdtasks.core.reproducibility import pin_process
from kdtasks.data.sources import Example, Item, Source, sources

CLASSES, BATCH, VALIDATED = 10, 64, 512
SHARES = {"train": 0.94, "validation": 0.02, "calibration": 0.02, "test": 0.02}
HELD = 250_000_000  # bytes of images that the loop in memory trains on

# By version: the limit, the highest use, what is in use, and the names of anonymous memory and of
# the page cache in `memory.stat`.
FILES = {
    1: ("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.usage_in_bytes"),
    2: ("memory.max", "memory.peak", "memory.current"),
}
STATISTICS = {1: ("total_rss", "total_cache"), 2: ("anon", "file")}


@sources.register
class Generated(Source):
    """Noise around a grey level that tells the class; made when it is read."""

    task: ClassVar = "classification"

    name: Literal["generated"] = "generated"
    images: int
    side: int

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return tuple(f"class_{label}" for label in range(CLASSES))

    def items(self, folder: Path) -> Iterator[Item]:
        """List them."""
        nothing = np.empty((1, 1, 1), np.uint8)
        for row in range(self.images):
            yield Item(f"{row}", nothing, row % CLASSES)

    def examples(self, folder: Path, item: Item, *_: Any) -> list[Example]:
        """Draw one."""
        rng = np.random.default_rng(int(item.name))
        pixels = rng.integers(0, 128, (self.side, self.side, 3), np.uint8)
        pixels += np.uint8(12 * int(item.label))  # type: ignore[arg-type]
        return [Example(item.name, pixels, np.array(item.label, np.int32))]


def clocks() -> tuple[float, float]:
    """Seconds on the wall and of this process's processor time, which other work stretches less."""
    return time.monotonic(), time.process_time()


def speeds(images: int, begun: tuple[float, float], ended: tuple[float, float]) -> dict[str, float]:
    """Images a second, on either clock."""
    names = "images/s", "a processor second"
    return {
        name: images / (end - begin) for name, begin, end in zip(names, begun, ended, strict=True)
    }


def prepare(folder: Path, *, images: int, side: int) -> dict[str, float]:
    """Write the set as the stage `prepare` does, without a search for near copies."""
    from kdtasks.data.findings import overview_of, write_overview
    from kdtasks.data.prepare import keep_usable, read_grouped_dataset, write_prepared
    from kdtasks.data.settings import DataParams
    from kdtasks.data.split import split_dataset

    source = {"name": "generated", "images": images, "side": side}
    params = DataParams.model_validate({"source": source, "split": SHARES, "near_copies": False})
    begun = clocks()
    marked = read_grouped_dataset(params)
    dataset = keep_usable(marked, params)
    write_overview(folder / "findings", overview_of(marked))
    split = split_dataset(dataset, params.split, seed=0)
    write_prepared(folder / "prepared", dataset, split, params)
    return speeds(images, begun, clocks())


def train(folder: Path, *, images: int, epochs: int, memory_limit_mb: int) -> dict[str, float]:
    """Train on the first images of the training split; an epoch's validation is short."""
    from kdtasks.core.backend import seed_everything
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.networks.cnn import CNN
    from kdtasks.learn.objectives.objective import LabelObjective
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.loop import TrainingSchedule, train
    from kdtasks.learn.training.settings import TrainParams
    from kdtasks.learn.training.views import AugmentationParams, draw_views

    dataset = open_prepared(folder / "prepared")
    rows = slice(images)
    drawn = draw_views(
        dataset.images("train")[rows],
        dataset.labels("train")[rows],
        AugmentationParams(),
        memory_limit_mb=memory_limit_mb,
    )
    seed_everything(0)
    times = [clocks()]
    train(
        build(CNN(filters=(8, 16, 32)), input_shape=dataset.image_shape, num_classes=CLASSES),
        TrainingExamples(*drawn),
        validation=(
            np.array(dataset.images("validation")[:VALIDATED]),
            np.array(dataset.labels("validation")[:VALIDATED]),
        ),
        objective=LabelObjective(),
        schedule=TrainingSchedule(
            TrainParams(batch_size=BATCH, memory_limit_mb=memory_limit_mb, guard_epochs=epochs + 1),
            epochs=epochs,
            learning_rate=1e-3,
            seed=0,
            on_epoch=lambda _: times.append(clocks()),
        ),
    )
    shown = drawn[0].shape[1] // BATCH * BATCH
    return speeds(shown, *times[-2:])


class Group:
    """A control group below this process's own, with a limit on memory."""

    def __init__(self, limit: int) -> None:
        places = dict(
            line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines()
        )
        self._version = 1 if "memory" in places else 2
        root = Path("/sys/fs/cgroup", "memory" if self._version == 1 else "")
        own = root / places.get("memory", places.get("", "/")).lstrip("/")
        self.folder = own / f"kdtasks-streaming-{os.getpid()}"
        self.folder.mkdir()
        (self.folder / FILES[self._version][0]).write_text(str(limit))

    def join(self) -> None:
        """Move this process into it."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def megabytes(self) -> dict[str, float]:
        """Give the highest use, and what is anonymous and what is cached now."""
        lines = (self.folder / "memory.stat").read_text().splitlines()
        found = dict(line.split() for line in lines)
        peak = (self.folder / FILES[self._version][1]).read_text()
        values = {"peak": peak} | dict(
            zip(("anonymous", "cached"), map(found.get, STATISTICS[self._version]), strict=True)
        )
        return {name: int(value or 0) / 1e6 for name, value in values.items()}


@contextmanager
def group(limit: int) -> Iterator[Group]:
    """Make a group, and remove it."""
    made = Group(limit)
    try:
        yield made
    finally:
        made.folder.rmdir()


def run(stage: str, folder: Path, given: dict[str, int], limit: int | None) -> dict[str, float]:
    """Run a stage in a process of its own; with a limit, watch its memory twice a second."""
    for file in folder.rglob("*.npy"):  # so that the group pays for what it reads
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    words = [sys.executable, "-m", "benchmarks.streaming", "--stage", stage]
    words += ["--folder", str(folder), "--given", json.dumps(given)]

    def watched(made: Group | None) -> dict[str, float]:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True, preexec_fn=made.join if made else None
        )
        samples: list[dict[str, float]] = []
        ended = threading.Event()

        def watch() -> None:
            while made and not ended.wait(0.5):
                samples.append(made.megabytes())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            output, _ = process.communicate()
        finally:
            process.kill()
            process.wait()
            ended.set()
            watcher.join()
        if process.returncode:
            raise SystemExit(f"{stage} ended with {process.returncode}: {output[-2000:]}")
        found: dict[str, float] = json.loads(output.splitlines()[-1])
        if samples:
            found |= {name: max(one[name] for one in samples) for name in samples[0]}
            found["halfway"] = samples[len(samples) // 2]["anonymous"]
        return found

    if limit is None:
        return watched(None)
    with group(limit) as made:
        return watched(made)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of pixels")
    parser.add_argument("--limit-mb", type=int, default=1200, help="of the control group")
    parser.add_argument("--side", type=int, default=96, help="pixels a side, of three channels")
    parser.add_argument("--epochs", type=int, default=2, help="of the streamed training")
    parser.add_argument("--folder", type=Path, default=Path("build/streaming"))
    parser.add_argument("--stage", choices=("prepare", "train"), help=argparse.SUPPRESS)
    parser.add_argument("--given", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        pin_process(2)
        work = prepare if options.stage == "prepare" else train
        print(json.dumps(work(options.folder, **options.given)))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that all is removed
    size, limit = 3 * options.side**2, options.limit_mb * 1_000_000
    images = int(options.gigabytes * 1e9) // size
    options.folder.mkdir(parents=True)
    # what lies in unnamed files should lie on the same disk
    os.environ["TMPDIR"] = str(options.folder.resolve())
    print(f"{images:,} images of {options.side} × {options.side} × 3, limit {options.limit_mb} MB")
    columns = {
        "images/s": "images/s",
        "a processor second": "a processor second",
        "peak": "MB at most",
        "cached": "page cache at most",
        "anonymous": "anonymous at most",
        "halfway": "anonymous halfway",
    }
    print(f"| | {' | '.join(columns.values())} |\n|---{'|---' * len(columns)}|", flush=True)
    try:
        made = {"images": images, "side": options.side}
        streamed = {"images": images, "epochs": options.epochs, "memory_limit_mb": 1}
        held = {"images": HELD // size, "epochs": 2, "memory_limit_mb": 10**6}
        for name, stage, given, bound in (
            ("prepare", "prepare", made, limit),
            ("train, streamed", "train", streamed, limit),
            ("train, in memory", "train", held, None),
        ):
            found = run(stage, options.folder, given, bound)
            cells = [f"{found[key]:,.0f}" if key in found else "" for key in columns]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
    finally:
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
