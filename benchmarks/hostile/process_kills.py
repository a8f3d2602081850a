"""`dvc repro` and `kdtasks run`, killed at a moment: run again they end as if they never were."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.hostile.kills import Kills, NotKilledError, RemovedLockError, digest
from kdtasks.orchestrate.project.torn_lock import TORN, is_torn

_WAIT = 60.0  # seconds for the processes of a run that was killed to end


class ProcessKills(Kills):
    """A stage of a project of small digits, killed at a moment that is drawn at random."""

    words: tuple[str, ...]
    most_seconds = 120.0  # two runs, and what it takes to start them
    patience = 3600.0  # several kills may come too late

    def prepare(self, seeds: Path) -> None:
        from tests.pipeline.conftest import lay_out

        lay_out(seeds / "project")
        self._run(seeds / "project", "dvc", "init", "--no-scm", "--quiet")

    def kill(self, draw: random.Random | None, seeds: Path, place: Path) -> None:
        project = place / "project"
        shutil.copytree(seeds / "project", project)
        if draw is None:
            begin = time.monotonic()
            self.again(project)
            self._seconds, self._expected = time.monotonic() - begin, _outputs(project)
            return
        self._kill(project, draw.uniform(0, self._seconds), kill_group=draw.random() < 0.5)
        refused = self.again(project)
        assert _outputs(project) == self._expected, "the outputs are others"
        if refused:
            raise RemovedLockError(refused)

    def again(self, project: Path) -> str:
        """Run the command to its end; gives what it said where a file had to be removed first."""
        self._run(project, *self.words)
        return ""

    def _kill(self, project: Path, after: float, *, kill_group: bool) -> None:
        """Kill the command alone, or all that it has started as well."""
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
                (os.killpg if kill_group else os.kill)(running.pid, signal.SIGKILL)
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
    """Killed by DVC's own runner, which refuses a list of locks that a kill has cut short."""

    name, trials, words = "kills-repro", 35, ("dvc", "repro", "prepare")

    def again(self, project: Path) -> str:
        try:
            return super().again(project)
        except AssertionError as error:
            if not is_torn(project / TORN.parent):
                raise
            (project / TORN).unlink()
            super().again(project)
            return str(error)


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
