"""Trials in a process that may hang, die or grow, and what became of them.

Cases are listed, or drawn by Hypothesis from one seed: the same number of trials has the same cases
wherever it runs, and a few of them are a share of many.
"""

import contextlib
import itertools
import math
import multiprocessing
import os
import pickle
import re
import resource
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from kdtasks.core.errors import KdTasksError

MOST_SECONDS = 10.0
_MAY = r"place(/|$)|tmp/(kdtasks-teacher-|__autograph|__pycache__)"
_END = "end"  # no case


class Count(NamedTuple):
    """What became of the trials of one kind.

    Attributes:
        refused: told in one of the project's own errors.
        answered: opened and run all the same.
        tracebacks: any other exception.
        died: ends of the process.
        slow: computed for more than ten seconds, or what the attack allows.
        outside: left a file outside their place.
        slowest: seconds by the clock.
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
    patience = 600.0  # seconds for TensorFlow's start on a busy machine, and for what hangs
    # Anew: a fork of a process with threads, such as TensorFlow's, may wait for ever.
    start: Literal["spawn", "fork"] = "spawn"

    @abstractmethod
    def prepare(self, seeds: Path) -> None:
        """Write whole files into a folder; once."""

    def listed(self, seeds: Path) -> Sequence[Any]:
        """Cases of which each is tried; they can be pickled."""
        return ()

    def drawn(self, seeds: Path) -> st.SearchStrategy[Any]:
        """Give what the cases beyond those listed are drawn from."""
        return st.nothing()

    @abstractmethod
    def attempt(self, case: Any, seeds: Path, place: Path) -> None:
        """Damage files into an empty folder, and use them; the case None leaves them whole.

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
    attack: Attack,
    trials: int,
    work: Path,
    minutes: float = math.inf,
    only: int | None = None,
) -> tuple[Count, list[str]]:
    """Try so many cases, none after so many minutes.

    Args:
        only: the number of the one case to try.

    Returns: their count, and a line a broken promise.
    """
    until = time.monotonic() + 60 * minutes
    worker: _Worker | None = _Worker(attack, work)
    counts: Counter[str] = Counter()
    broken: list[str] = []
    slowest = grown = 0.0

    def attempt(case: Any) -> None:
        nonlocal worker, slowest, grown
        number = counts["cases"]
        counts["cases"] += 1
        if time.monotonic() > until or only not in (None, number):
            return
        worker = worker or _Worker(attack, work)
        outcome, told, seconds, computed, more = worker.ask(case)
        slowest, grown = max(slowest, seconds), max(grown, more)
        is_slow = computed > attack.most_seconds
        counts.update(trials=1, slow=is_slow, **{outcome: 1})
        if outcome in ("traceback", "died", "outside") or is_slow:
            took = f"({computed:.1f} of {seconds:.1f} s)"
            broken.append(f"{attack.name} {number}: {outcome} {told} {took} {str(case)[:300]}")
        if outcome == "died":
            worker = None

    listed, strategy = attack.listed(work / "seeds"), attack.drawn(work / "seeds")
    if len(listed) > trials:
        listed, strategy = (), st.sampled_from(listed) | strategy
    for case in listed:
        attempt(case)
    draw(strategy, trials - len(listed), attempt)
    if worker:
        worker.end()
    known = {name: counts[name] for name in ("trials", "refused", "answered", "died", "slow")}
    count = Count(
        **known,
        tracebacks=counts["traceback"],
        outside=counts["outside"],
        slowest=slowest,
        grown_mb=grown,
    )
    return count, broken


def draw(strategy: st.SearchStrategy[Any], cases: int, use: Callable[[Any], None]) -> None:
    """Use so many different cases, the same at every call."""
    seen: set[bytes] = set()

    def use_once(case: Any) -> None:
        key = pickle.dumps(case)
        if key not in seen and len(seen) < cases:
            seen.add(key)
            use(case)

    for number in itertools.count():
        before = len(seen)
        if before == cases or strategy.is_empty:
            return
        several = settings(
            max_examples=cases,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        seed(number)(several(given(strategy)(use_once)))()
        if len(seen) == before:  # there are no more
            return


class _Worker:
    """The process of an attack, warmed up by files that are whole."""

    def __init__(self, attack: Attack, work: Path) -> None:
        context: Any = multiprocessing.get_context(attack.start)
        self._patience = attack.patience
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(attack, work, theirs), daemon=False)
        self._process.start()
        theirs.close()
        outcome = self.ask(None)
        if outcome[0] != "answered":
            self._process.kill()
            raise RuntimeError(f"whole files of {attack.name} do not work: {outcome}")

    def ask(self, case: Any) -> tuple[str, str, float, float, float]:
        begin = time.monotonic()
        try:
            self._line.send(case)
            if self._line.poll(self._patience):
                found: tuple[str, str, float, float, float] = self._line.recv()
                return found
        except (EOFError, OSError):
            pass
        self._process.kill()
        self._process.join()
        return "died", f"status {self._process.exitcode}", time.monotonic() - begin, 0.0, 0.0

    def end(self) -> None:
        self._line.send(_END)
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
        case = line.recv()
        if case == _END:
            return
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        before, begin, computed = _listed(work), time.monotonic(), _computed(attack)
        outcome, told = "answered", ""
        try:
            attack.attempt(case, seeds, place)
        except KdTasksError as error:
            outcome, told = "refused", str(error)
        except BaseException as error:
            outcome, told = "traceback", f"{type(error).__name__}: {str(error)[:300]}"
        seconds, computed = time.monotonic() - begin, _computed(attack) - computed
        if left := _listed(work) - before:
            outcome, told = "outside", str(sorted(left)[:3])
            for name in left:
                if (work / name).is_dir():
                    shutil.rmtree(work / name, ignore_errors=True)
                else:
                    (work / name).unlink(missing_ok=True)
        most = _most_mb(attack)
        usual = most if case is None else usual
        attack.settle()
        line.send((outcome, told, seconds, computed, max(0.0, most - usual)))


def _listed(work: Path) -> set[str]:
    """All that lies in the work folder but where a trial, or TensorFlow till it ends, may write."""
    names = (  # what vanishes meanwhile is none
        Path(folder, name).relative_to(work).as_posix()
        for folder, folders, files in os.walk(work)
        for name in (*folders, *files)
    )
    return {name for name in names if not re.match(_MAY, name)}


def _computed(attack: Attack) -> float:
    """Seconds of processors that this process and those of the attack have taken so far."""
    ticks = 0
    for process in attack.others():
        with contextlib.suppress(FileNotFoundError):  # then it counts as a child that has ended
            fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(map(int, fields[11:13]))
    return sum(os.times()[:4]) + ticks / os.sysconf("SC_CLK_TCK")


def _most_mb(attack: Attack) -> float:
    highest = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    for process in attack.others():
        status = Path(f"/proc/{process}/status")
        for line in status.read_text().splitlines() if status.exists() else ():
            if line.startswith("VmHWM:"):
                highest = max(highest, float(line.split()[1]))
    return highest / 1024
