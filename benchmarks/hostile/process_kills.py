"""`dvc repro` and `kdtasks run`, killed at a moment: run again they end as if they never were."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.hostile.kills import Kills, NotKilledError, digest

_WAIT = 60.0  # seconds for the processes of a run that was killed to end


class ProcessKills(Kills):
    """A stage of a project of small digits, killed at a moment that is drawn at random."""

    words: tuple[str, ...]
    most_seconds = 120.0  # two runs, and what it takes to start them

    def prepare(self, seeds: Path) -> None:
        from tests.pipeline.conftest import lay_out

        lay_out(seeds / "project")
        self._run(seeds / "project", "dvc", "init", "--no-scm", "--quiet")

    def kill(self, trial: int, seeds: Path, place: Path) -> None:
        project = place / "project"
        shutil.copytree(seeds / "project", project)
        if trial < 0:
            begin = time.monotonic()
            self._run(project, *self.words)
            self._seconds, self._expected = time.monotonic() - begin, _outputs(project)
            return
        self._kill(project, random.Random(trial).uniform(0, self._seconds), trial)
        self._run(project, *self.words)
        assert _outputs(project) == self._expected, "the outputs are others"

    def _kill(self, project: Path, after: float, trial: int) -> None:
        """Kill the command alone, or in every other trial all that it has started as well."""
        with subprocess.Popen(
            [sys.executable, "-m", *self.words],
            cwd=project,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as running:
            try:
                running.wait(after)
            except subprocess.TimeoutExpired:
                (os.killpg if trial % 2 else os.kill)(running.pid, signal.SIGKILL)
        until = time.monotonic() + _WAIT
        while _is_alive(project):  # what the command had started ends in order
            assert time.monotonic() < until, "something of the run is still at work"
            time.sleep(0.05)
        if running.returncode != -signal.SIGKILL:
            raise NotKilledError(f"it ended with {running.returncode} in {after:.1f} s")

    def _run(self, project: Path, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=project,
            env=_environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{done.stdout[-500:]} {done.stderr[-500:]}"


class ReproKills(ProcessKills):
    """Killed by DVC's own runner."""

    name, trials, words = "kills-repro", 35, ("dvc", "repro", "prepare")


class RunKills(ProcessKills):
    """Killed where stages run side by side."""

    name, trials, words = "kills-run", 40, ("kdtasks", "run", "prepare")


def _outputs(project: Path) -> str:
    return digest(project / "dvc.lock", project / "data")


def _environment() -> dict[str, str]:
    """The folder's own copy of the code runs."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _is_alive(folder: Path) -> bool:
    from tests.orchestrate.runner.test_execute import is_alive

    return is_alive(folder)
