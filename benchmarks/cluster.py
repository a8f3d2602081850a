"""What a cluster adds to a point of a sweep and to a stage of a run: time, and bytes from S3.

Stages that do next to nothing, but start as those of TensorFlow do, run on one, two and three
workers of Dask, all on this machine, that share nothing but an imitation of S3. Each number of
workers begins with a project of its own and runs twice: first as many points (or stages) as there
are workers, so that each has brought the data, then POINTS. Time and processor time a point are
those of the second run; the stages' own processor time, which is measured by itself, is taken off.

    python -m benchmarks.cluster [--points 6] [--workers 1 2 3] [--write]

A row: points an hour; seconds a point; processor seconds of kdtasks a point, on its worker and at
the head, where the start of the command is shared by all; bytes that a point brings from S3; and
how often each worker has fetched the raw data, the prepared data and the teacher, over both runs:
once, or not at all. The load is that at the row's end. On two cores, workers share what one has.
`--write` puts rows in place of their like in docs/cluster.json, and all of it as a table into
docs/cluster.md.
"""

import argparse
import hashlib
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

from benchmarks.pages import fill
from kdtasks.core.files import json_text, read_json, write_json
from kdtasks.core.text import quantity
from kdtasks.orchestrate.sweep.grid import with_settings
from tests.tools.dask_workers import (
    Worker,
    environment,
    git,
    make_project,
    running_scheduler,
    running_workers,
)
from tests.tools.s3_servers import running_moto

DOCS = Path(__file__).parents[1] / "docs"
FIGURES = DOCS / "cluster.json"
COMMAND = "python -m benchmarks.cluster --write"
DATA_BYTES = 4_000_000
REPEATS = 5
KDTASKS = (sys.executable, "-m", "kdtasks")


class Cost(NamedTuple):
    """What was used up to a moment."""

    wall: float
    workers: float  # processor seconds, ended children included
    head: float
    bytes: int

    def less(self, other: "Cost") -> "Cost":
        """What was used since another moment."""
        return Cost(
            self.wall - other.wall,
            self.workers - other.workers,
            self.head - other.head,
            self.bytes - other.bytes,
        )


def cost(workers: Sequence[Worker]) -> Cost:
    """What workers and the commands of this process have used by now."""
    processes = [psutil.Process(worker.process.pid) for worker in workers]
    times = [
        it.cpu_times() for top in processes for it in (top, *top.children(recursive=True))
    ]  # of servers that live on as well
    head = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(
        time.perf_counter(),
        sum(it.user + it.system + it.children_user + it.children_system for it in times),
        head.ru_utime + head.ru_stime,
        sum(worker.gate.pulled_bytes for worker in workers),
    )


@contextmanager
def cluster(number: int, endpoint: str) -> Iterator[tuple[Path, str, list[Worker]]]:
    """A project, a scheduler's address and its workers."""
    with tempfile.TemporaryDirectory(prefix="kdtasks-cluster-") as name:
        folder = Path(name)
        (folder / "head").mkdir()
        project = make_project(folder / "head" / "project")
        make_modules(project)
        (project / "data" / "raw" / "a.txt").write_text(os.urandom(DATA_BYTES // 2).hex())
        (project / "data" / "raw" / "b.txt").write_text("which makes other bytes of the two")
        with (
            running_scheduler(folder) as address,
            running_workers(number, folder, address, endpoint) as workers,
        ):
            for worker in workers:
                (worker.home / "HOLD").unlink()
            yield project, address, workers


def make_modules(project: Path) -> None:
    """Have stages start as `python -m stages.work`, as those do that a warm process may serve."""
    (project / "stages").mkdir()
    (project / "work.py").rename(project / "stages" / "work.py")
    pipeline = project / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8")
    text = text.replace("python work.py", "python -m stages.work").replace(
        "work.py]", "stages/work.py]"
    )
    pipeline.write_text(text, encoding="utf-8")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "modules")


def sweep_words(project: Path, first: int, number: int) -> list[str]:
    """A sweep of so many points, each of them new."""
    values = ",".join(str(first + place) for place in range(number))
    return ["sweep", "-S", f"distill.temperature={values}", "--seeds", "1"]


def run_words(project: Path, first: int, number: int) -> list[str]:
    """A run of so many stages of a matrix; the project's params are changed for it."""
    params = project / "params.yaml"
    settings = {"seeds": list(range(number)), "distill.temperature": float(100 + first)}
    text, _ = with_settings(params.read_text(encoding="utf-8"), settings, source="the benchmark")
    params.write_text(text, encoding="utf-8")
    return ["run", "distill"]


# and how many stages a point has for itself, as against those that points share
WAYS = {"sweep": (sweep_words, 2), "run": (run_words, 1)}


def stage_seconds(project: Path) -> float:
    """Processor seconds of a stage's command; all are the same program."""
    variables = {**os.environ, "TRACE": os.devnull, "BREAK": "/none", "HOLD": "/none"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(REPEATS):
        words = [sys.executable, "-m", "stages.work", "distill", "0"]
        subprocess.run(words, cwd=project, env=variables, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / REPEATS


def contents(project: Path) -> dict[str, str]:
    """The hashes of what all points need, by what it is."""
    references = git(project, "for-each-ref", "--format=%(refname)", "refs/exps").decode().split()
    lock = project / "dvc.lock"
    text = git(project, "show", f"{references[0]}:dvc.lock") if references else lock.read_bytes()
    stages = yaml.safe_load(text)["stages"]
    raw = hashlib.md5((project / "data" / "raw" / "a.txt").read_bytes()).hexdigest()
    made = {name: stages[name]["outs"][0]["md5"] for name in ("prepare", "teacher")}
    return {"raw": raw, **made}


def measure(way: str, number: int, points: int, endpoint: str) -> dict[str, Any]:
    """A row of the table: so many points on so many workers."""
    words, stages = WAYS[way]
    with cluster(number, endpoint) as (project, address, workers):
        variables = environment(project.parent, endpoint)

        def run(first: int, number: int) -> Cost:
            before = cost(workers)
            subprocess.run(
                [*KDTASKS, *words(project, first, number), "--cluster", address],
                cwd=project,
                env=variables,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            return cost(workers).less(before)

        run(2, number)
        many = run(20, points)
        own = stages * stage_seconds(project)
        fetches = {
            what: [fetched(worker, md5) for worker in workers]
            for what, md5 in contents(project).items()
        }
    return {
        "points": points,
        "points_an_hour": round(3600 * points / many.wall),
        "seconds_a_point": round(many.wall / points, 1),
        "worker_cpu_seconds": round(many.workers / points - own, 2),
        "head_cpu_seconds": round(many.head / points, 2),
        "bytes_a_point": round(many.bytes / points),
        "fetched": fetches,
        "load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


def fetched(worker: Worker, md5: str) -> int:
    """How often a worker has asked for a content."""
    return sum(path.endswith(f"/{md5[:2]}/{md5[2:]}") for path in worker.gate.gets)


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows in Markdown."""
    head = "| | an hour | s on the worker | s at the head | bytes from S3 | fetches | load |"
    lines = [head, "|---" * head.count(" |") + "|"]
    for name, row in rows.items():
        fetches = max(max(each) for each in row["fetched"].values())
        cells = [
            f"{row['points_an_hour']}",
            f"{row['worker_cpu_seconds']:.2f}",
            f"{row['head_cpu_seconds']:.2f}",
            f"{row['bytes_a_point']:,}",
            f"{fetches}",
            f"{row['load']}",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=6)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--write", action="store_true", help=f"write {FIGURES.name}")
    options = parser.parse_args()
    for who, what in itertools.product(("AUTHOR", "COMMITTER"), ("NAME", "EMAIL")):
        os.environ.setdefault(f"GIT_{who}_{what}", "benchmark")
    with tempfile.TemporaryDirectory() as folder, running_moto(Path(folder) / "log") as endpoint:
        for way, number in itertools.product(options.ways, options.workers):
            name = f"{way}, {quantity(number, 'worker')}"
            row = {name: measure(way, number, options.points, endpoint)}
            print(json_text(row), end="", flush=True)
            if options.write:
                known = read_json(FIGURES) if FIGURES.is_file() else {}
                write_json(FIGURES, {**known, **row})
                fill(DOCS / "cluster.md", COMMAND, table(read_json(FIGURES)))


if __name__ == "__main__":
    main()
