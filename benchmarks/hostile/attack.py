"""Trials in a process that may hang, die or grow, and what became of them."""

import math
import multiprocessing
import os
import re
import resource
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kdtasks.core.errors import KdTasksError

MOST_SECONDS = 10.0
_PATIENCE = 600.0  # for TensorFlow's start on a busy machine, and for what is found to hang
_MAY = r"place(/|$)|tmp/(kdtasks-teacher-|__autograph|__pycache__)"
_WHOLE = -1  # the trial whose files are not damaged


class Count(NamedTuple):
    """What became of the trials of one kind.

    Attributes:
        refused: told in one of the project's own errors.
        answered: opened and run all the same.
        tracebacks: any other exception.
        died: ends of the process.
        slow: took more than ten seconds, or what the attack allows.
        outside: left a file outside their place.
        slowest: seconds.
        grown_mb: the process's highest memory, less that after a file that is whole.
    """

    trials: int
    refused: int
    answered: int
    tracebacks: int
    died: int
    slow: int
    outside: int
    slowest: float
    grown_mb: float


class Attack(ABC):
    """Input of one kind, whole and damaged; or work of one kind, which is killed."""

    name: str
    trials: int
    most_seconds = MOST_SECONDS
    # Anew: a fork of a process with threads, such as TensorFlow's, may wait for ever.
    start: Literal["spawn", "fork"] = "spawn"

    @abstractmethod
    def prepare(self, seeds: Path) -> None:
        """Write whole files into a folder; once."""

    @abstractmethod
    def attempt(self, trial: int, seeds: Path, place: Path) -> None:
        """Damage files into an empty folder, and use them; −1 leaves them whole.

        What is used may write into `place/out`.

        Raises:
            KdTasksError: they are refused.
        """

    def settle(self) -> None:
        """Make ready again what a trial has ended, outside its time; nothing by default."""
        return

    def others(self) -> list[int]:
        """Other processes whose memory counts."""
        return []


def run(
    attack: Attack, trials: range, work: Path, minutes: float = math.inf
) -> tuple[Count, list[str]]:
    """Run trials, none after so many minutes; gives their count, and a line a broken promise."""
    until = time.monotonic() + 60 * minutes
    done = 0
    counts: Counter[str] = Counter()
    broken, slowest, most = [], 0.0, 0.0
    worker = None
    for trial in trials:
        if time.monotonic() > until:
            break
        done += 1
        worker = worker or _Worker(attack, work)
        outcome, told, seconds, grown = worker.ask(trial)
        slowest, most = max(slowest, seconds), max(most, grown)
        counts[outcome] += 1
        counts["slow"] += seconds > attack.most_seconds
        if outcome in ("traceback", "died", "outside") or seconds > attack.most_seconds:
            broken.append(f"{attack.name} {trial}: {outcome} {told} ({seconds:.1f} s)")
        if outcome == "died":
            worker = None
    if worker:
        worker.end()
    count = Count(
        trials=done,
        refused=counts["refused"],
        answered=counts["answered"],
        tracebacks=counts["traceback"],
        died=counts["died"],
        slow=counts["slow"],
        outside=counts["outside"],
        slowest=slowest,
        grown_mb=most,
    )
    return count, broken


class _Worker:
    """The process of an attack, warmed up by files that are whole."""

    def __init__(self, attack: Attack, work: Path) -> None:
        context: Any = multiprocessing.get_context(attack.start)
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(attack, work, theirs), daemon=False)
        self._process.start()
        theirs.close()
        outcome = self.ask(_WHOLE)
        if outcome[0] != "answered":
            self._process.kill()
            raise RuntimeError(f"whole files of {attack.name} do not work: {outcome}")

    def ask(self, trial: int) -> tuple[str, str, float, float]:
        begin = time.monotonic()
        try:
            self._line.send(trial)
            if self._line.poll(_PATIENCE):
                found: tuple[str, str, float, float] = self._line.recv()
                return found
        except (EOFError, OSError):
            pass
        self._process.kill()
        self._process.join()
        return "died", f"status {self._process.exitcode}", time.monotonic() - begin, 0.0

    def end(self) -> None:
        self._line.send(None)
        self._process.join()


def _work(attack: Attack, work: Path, line: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    work.mkdir(exist_ok=True)
    for name in ("cwd", "tmp"):
        (work / name).mkdir(exist_ok=True)
    os.chdir(work / "cwd")
    os.environ["TMPDIR"] = str(work / "tmp")
    tempfile.tempdir = None
    with open(os.devnull, "w") as silent:
        os.dup2(silent.fileno(), 1)
        os.dup2(silent.fileno(), 2)
    seeds, place = work / "seeds", work / "place"
    if not seeds.exists():
        seeds.mkdir()
        attack.prepare(seeds)
    usual = 0.0
    while True:
        trial = line.recv()
        if trial is None:
            return
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        before, begin = _listed(work), time.monotonic()
        outcome, told = "answered", ""
        try:
            attack.attempt(trial, seeds, place)
        except KdTasksError as error:
            outcome, told = "refused", str(error)
        except BaseException as error:
            outcome, told = "traceback", f"{type(error).__name__}: {str(error)[:300]}"
        seconds = time.monotonic() - begin
        if left := _listed(work) - before:
            outcome, told = "outside", str(sorted(left)[:3])
            for name in left:
                if (work / name).is_dir():
                    shutil.rmtree(work / name, ignore_errors=True)
                else:
                    (work / name).unlink(missing_ok=True)
        most = _most_mb(attack)
        usual = most if trial == _WHOLE else usual
        attack.settle()
        line.send((outcome, told, seconds, max(0.0, most - usual)))


def _listed(work: Path) -> set[str]:
    """All that lies in the work folder but where a trial, or TensorFlow till it ends, may write."""
    names = (  # what vanishes meanwhile is none
        Path(folder, name).relative_to(work).as_posix()
        for folder, folders, files in os.walk(work)
        for name in (*folders, *files)
    )
    return {name for name in names if not re.match(_MAY, name)}


def _most_mb(attack: Attack) -> float:
    highest = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    for process in attack.others():
        status = Path(f"/proc/{process}/status")
        for line in status.read_text().splitlines() if status.exists() else ():
            if line.startswith("VmHWM:"):
                highest = max(highest, float(line.split()[1]))
    return highest / 1024
