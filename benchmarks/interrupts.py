"""How soon a command answers Ctrl-C: to its first word, to its end, and what it leaves running.

    nice python -m benchmarks.interrupts --write

Each command runs in a project of small digits, made here, and gets SIGINT with its whole process
group, as from a terminal: so many seconds after its start, or after it has printed some words. A
run that was interrupted goes on with the next. A process is the command's if it has its mark in
the environment. About ten minutes.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image

from benchmarks.pages import fill
from kdtasks.core.backend import keras
from kdtasks.orchestrate.project.clone import make_scratch_clone
from kdtasks.orchestrate.project.project import find_project
from kdtasks.orchestrate.project.recipes import use_recipe

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "command-line.md"
COMMAND = "python -m benchmarks.interrupts --write"
MODEL = "results/mlperf-tiny/int8.tflite"
MARK = "KDTASKS_BENCHMARK_MARK"
MOST_SECONDS = 300.0  # until some words come

RUN = ("kdtasks", "run", "--no-prefect", "--workers")
AGENT = ("kdtasks", "agent", "--model", "digits", "--store", "store", "--state", "s", "--port", "0")
INIT = ("kdtasks", "init", "new", "--images", "photos", "--teacher", "teacher.keras")


class Moment(NamedTuple):
    """When a command is interrupted: so many seconds after it has printed some words, if any."""

    words: Sequence[str]
    seconds: float
    after: str = ""


# `dvc repro` and `kdtasks run` go on from each other; what follows them needs all stages
MOMENTS = (
    Moment((*RUN, "2"), 2.0),
    Moment((*RUN, "2"), 1.0, "prepare: running"),
    Moment((*RUN, "2"), 2.0, "teacher: running"),
    Moment((*RUN, "2"), 0.3, "teacher | epoch"),
    Moment((*RUN, "1"), 2.0, "targets: running"),
    Moment((*RUN, "1"), 0.3, "distill@0 | epoch"),
    Moment(("dvc", "repro", "compress"), 3.0),
    Moment(("dvc", "repro", "compress"), 3.0, "python -m stages.compress int8"),
    Moment((*RUN, "2"), 1.0, "compress@int8: running"),
    Moment((*RUN, "1"), 0.3, "export@int8: running"),
    Moment((*RUN, "1"), 0.5, "sensitivity: running"),
    Moment((*RUN, "1"), 3600.0),  # to its end
    Moment(("kdtasks", "sweep", "-S", "distill.alpha=0.2"), 3.0),
    Moment(("kdtasks", "sweep", "-S", "distill.alpha=0.2"), 2.0, "distill@0"),
    Moment(("kdtasks", "search", "--max-size-kb", "4"), 3.0),
    Moment(("kdtasks", "search", "--max-size-kb", "4"), 12.0),
    Moment(("kdtasks", "tune"), 4.0),
    Moment(("kdtasks", "tune"), 12.0),
    Moment(("kdtasks", "verify"), 3.0),
    Moment(("kdtasks", "verify"), 12.0),
    Moment(("kdtasks", "predict", MODEL, "photos"), 0.6),
    Moment(("kdtasks", "bench", "bundles/int8", "--rounds", "100000"), 1.5),
    Moment(("kdtasks", "serve", "bundles/int8", "--port", "0"), 2.0),
    Moment(AGENT, 2.0),
    *(Moment(INIT, seconds) for seconds in (1.0, 2.5, 4.0, 8.0)),
)


class Answer(NamedTuple):
    """What came of an interruption, in seconds after it; no word where it just ended."""

    word: float | None
    end: float
    left: int
    status: int


def interrupt(moment: Moment, folder: Path) -> Answer | None:
    """Start a command and interrupt it; None where it had ended before."""
    mark, printed = uuid.uuid4().hex, list[tuple[float, str]]()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [sys.executable, "-m", *moment.words],
        cwd=folder,
        env={**environment, MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        # whoever starts this behind an `&` ignores it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    reached = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            printed.append((time.monotonic(), line))
            if moment.after in line:
                reached.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    if moment.after:
        until = time.monotonic() + MOST_SECONDS
        while not reached.wait(0.05) and process.poll() is None and time.monotonic() < until:
            pass
    try:
        process.wait(moment.seconds)
    except subprocess.TimeoutExpired:
        begun = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        end = time.monotonic() - begun
        left = len(list(_marked(mark)))
        reader.join(1.0)
        said = [at - begun for at, text in printed if at > begun and _is_answer(text)]
        return Answer(min(said, default=None), end, left, process.returncode)
    return None


def _is_answer(text: str) -> bool:
    return "stopping" in text or "interrupted" in text


def _marked(mark: str) -> Iterator[Path]:
    """The processes that still run with a mark in their environment."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state = (path / "stat").read_bytes().rpartition(b")")[2].split()[0]
            if mark.encode() in (path / "environ").read_bytes() and state not in (b"Z", b"X"):
                yield path
        except OSError:  # it has ended meanwhile, or is another user's
            continue


def make_project(base: Path) -> Path:
    """A clone of this project with the smallest recipe, photos, a teacher and a store."""
    project = make_scratch_clone(find_project(), base, {})
    use_recipe(project, "digits", force=True)
    rng = np.random.default_rng(0)
    for number in range(200):
        path = project / "photos" / str(number % 10) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(rng.integers(0, 256, (400, 400, 3), np.uint8)).save(path)
    network = keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=10)
    network.save(project / "teacher.keras")
    _commit(project)
    return project


def _commit(project: Path) -> None:
    names = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *names, *words], cwd=project, check=True)


def _after_the_stages(project: Path) -> None:
    """What needs a finished run: a commit of it, and its bundle in production."""
    _commit(project)
    words = ("publish", "bundles/int8", "--store", "store", "--name", "digits")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "kdtasks", *words, "--alias", "production"]
    subprocess.run(command, cwd=project, env=environment, check=True)


def table(answers: Mapping[str, Sequence[Answer]], load: tuple[float, float]) -> str:
    """A row for each command, of the slowest answer, which is a word or the end, and end."""
    lines = ["| command | interrupted | answer | end | processes left |", "|---|---|---|---|---|"]
    for name, found in answers.items():
        answer = max(it.end if it.word is None else it.word for it in found)
        end, left = max(it.end for it in found), sum(it.left for it in found)
        lines.append(f"| {name} | {len(found)} | {answer:.2f} s | {end:.2f} s | {left} |")
    loads = f"{min(load):.1f} to {max(load):.1f}"
    return "\n".join([*lines, "", f"{os.cpu_count()} cores under a load of {loads}.\n"])


def main() -> None:
    """Measure, print, and write the page where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    options = parser.parse_args()
    answers: dict[str, list[Answer]] = {}
    begun = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as base:
        project = make_project(Path(base).resolve())
        for moment in MOMENTS:
            answer = interrupt(moment, project)
            print(" ".join(moment.words), moment.after, moment.seconds, answer, flush=True)
            if moment.seconds == 3600.0:
                _after_the_stages(project)
            elif answer:
                name = " ".join(moment.words[:2])
                answers.setdefault(f"`{name}`", []).append(answer)
    text = table(answers, (begun, os.getloadavg()[0]))
    print(text)
    if options.write:
        fill(PAGE, COMMAND, text)


if __name__ == "__main__":
    main()
