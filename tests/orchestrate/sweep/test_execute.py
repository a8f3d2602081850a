"""Whole sweeps over a tiny project: failures, kills, and what runs again."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.runner.graph import StageState
from kdtasks.orchestrate.sweep.engine import LOGS, SweepEnd, execute, planned_sweep
from kdtasks.orchestrate.sweep.plan import FOLDER, SweepOptions
from kdtasks.orchestrate.sweep.summary import SweepProgress

pytestmark = pytest.mark.usefixtures("warm_commands")

Trace = Callable[[], list[str]]


def run(project: Path, *settings: str, **options: Any) -> SweepEnd:
    """Run a sweep in this process."""
    with planned_sweep(project, SweepOptions(settings, **{"seeds": 2, **options})) as plan:
        return execute(plan, SweepProgress(plan, LOGS))


def start(project: Path, *words: str) -> "subprocess.Popen[str]":
    """Start a sweep as the command line does, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "kdtasks", "sweep", *words],
        cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def experiments(project: Path) -> dict[str, Any]:
    """What `dvc exp show` has of every experiment, by the setting of distill.alpha."""
    shown = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "show", "--json"],
        cwd=project, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = {}
    for experiment in json.loads(shown.stdout)[1]["experiments"] or []:
        data = experiment["revs"][0]["data"]
        alpha = data["params"]["params.yaml"]["data"]["distill"]["alpha"]
        found[str(alpha)] = data["metrics"]["metrics/compare.json"]["data"]
    return found


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def is_held() -> bool:
    """Whether the point that waits has begun to."""
    path = Path(os.environ["TRACE"])
    return path.is_file() and "distill 0 alpha=0.5" in path.read_text(encoding="utf-8")


def is_alive(folder: Path) -> bool:
    """Whether a process still works below a folder."""
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if link.readlink().is_relative_to(folder):
                return True
    return False


@pytest.mark.slow
def test_a_failing_point_does_not_stop_the_others_and_runs_again(
    project: Path, trace: Trace, capfd: pytest.CaptureFixture[str], run_git: Callable[..., str]
):
    settings = ("distill.alpha=0.1,0.9", "distill.temperature=3")
    broken = Path(os.environ["BREAK"])
    broken.touch()
    first = run(project, *settings)
    assert not first.is_complete
    failed = first.outcomes["alpha=0.9, temperature=3"]
    assert failed.state is StageState.FAILED
    assert failed.message == (
        "alpha=0.9, temperature=3: stage distill@0 ended with status 1: the loss is not a number"
    )
    output = capfd.readouterr().out
    assert "2 points of 2 seeds each: 0 done already, 2 to run" in output
    assert "shared by all points | teacher: completed" in output
    assert re.search(r"alpha=0\.9, temperature=3: failed in .* s, stage distill@0 ended", output)
    assert f"log: {LOGS}/alpha=0.9, temperature=3.log" in output
    (result,) = first.results.values()
    assert result.student == {0: 0.9, 1: 0.901}
    assert result.distilled == pytest.approx({0: 0.92, 1: 0.9212})
    assert result.validation == pytest.approx({0: 0.9013, 1: 0.9013})
    # what both points need ran once
    ran = Counter(line.split(" alpha=")[0] for line in trace())
    assert ran["prepare"] == ran["teacher"] == ran["student 0"] == ran["student 1"] == 1
    shown = experiments(project)
    assert list(shown) == ["0.1"]
    assert shown["0.1"]["distill"]["by_seed"] == pytest.approx({"0": 0.92, "1": 0.9212})
    assert run_git(project, "status", "--porcelain") == ""
    assert not (project / "dvc.lock").exists()  # the project's own folder is left alone

    broken.unlink()
    second = run(project, *settings)
    assert second.is_complete
    assert second.outcomes["alpha=0.1, temperature=3"].state is StageState.CACHED
    assert {line.split(" temperature")[0] for line in trace()} == {
        "distill 0 alpha=0.9", "distill 1 alpha=0.9", "compare alpha=0.9"
    }  # fmt: skip
    assert set(experiments(project)) == {"0.1", "0.9"}
    assert list((project / FOLDER / "clones").iterdir()) == []

    # an experiment that somebody removed comes back, out of the cache
    subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "remove", "--quiet", next(iter(first.results))],
        cwd=project, check=True,
    )  # fmt: skip
    third = run(project, *settings)
    assert third.results == second.results
    assert trace() == []
    assert set(experiments(project)) == {"0.1", "0.9"}


@pytest.mark.slow
def test_code_that_was_not_committed_runs_and_is_in_the_experiment(
    project: Path, run_git: Callable[..., str]
):
    code = (project / "work.py").read_text(encoding="utf-8")
    (project / "work.py").write_text(code.replace("0.05 *", "0.04 *"), encoding="utf-8")
    (result,) = run(project, "distill.alpha=0.25", seeds=1).results.values()
    assert result.distilled == pytest.approx({0: 0.91})
    commit = run_git(project, "for-each-ref", "--format=%(objectname)", "refs/exps/*/*/alpha*")
    changed = run_git(project, "diff", "--name-only", "HEAD", commit).splitlines()
    assert {"dvc.lock", "params.yaml", "work.py"} <= set(changed)
    assert run_git(project, "status", "--porcelain") == "M work.py"


@pytest.mark.slow
def test_what_is_edited_while_a_sweep_runs_is_not_in_its_points(
    project: Path, run_git: Callable[..., str]
):
    code, hold = project / "work.py", Path(os.environ["HOLD"])
    hold.touch()
    planned = code.read_text(encoding="utf-8").replace("0.05 *", "0.04 *")
    code.write_text(planned, encoding="utf-8")
    words = ("-S", "distill.alpha=0.5,0.25", "--seeds", "1", "--workers", "1")
    running = start(project, *words)
    wait_until(is_held, "the first point has not begun")
    code.write_text("raise SystemExit('edited')", encoding="utf-8")
    hold.unlink()
    output, _ = running.communicate(timeout=120)
    assert running.returncode == 0, output
    assert experiments(project)["0.25"]["distill"]["by_seed"] == pytest.approx({"0": 0.91})
    for commit in run_git(project, "for-each-ref", "--format=%(objectname)", "refs/exps").split():
        assert run_git(project, "show", f"{commit}:work.py") == planned.strip()
    assert list((project / FOLDER / "clones").iterdir()) == []


@pytest.mark.slow
def test_what_is_edited_before_the_first_point_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    code = project / "work.py"
    code.write_text(code.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with planned_sweep(project, SweepOptions(("distill.alpha=0.1",), seeds=1)) as plan:
        code.write_text("raise SystemExit('edited')", encoding="utf-8")
        end = execute(plan, SweepProgress(plan, LOGS))
    (outcome,) = end.outcomes.values()
    assert outcome.message.endswith("the project changed while the sweep began; start it again")
    assert list((project / FOLDER / "clones").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_was_stopped_goes_on_where_it_was(
    project: Path, trace: Trace, number: signal.Signals
):
    hold = Path(os.environ["HOLD"])
    hold.touch()
    words = ("-S", "distill.alpha=0.1,0.5", "--seeds", "1", "--workers", "1")
    stopped = start(project, *words)
    wait_until(is_held, "no second point")
    stopped.send_signal(number)
    output, _ = stopped.communicate(timeout=120)
    if number is signal.SIGINT:
        assert stopped.returncode == 130
        assert "alpha=0.5: cancelled" in output
        command = "kdtasks sweep -S distill.alpha=0.1,0.5 --seeds 1"
        assert f"interrupted; finished points are kept: {command}" in output
        assert not is_alive(project / FOLDER)
    else:  # killed, so it could do nothing any more; somebody else ends its processes
        assert stopped.returncode == -signal.SIGKILL
        wait_until(lambda: not is_alive(project / FOLDER), "something is still at work")
    assert set(experiments(project)) == {"0.1"}
    trace()

    hold.unlink()
    again = start(project, *words)
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0, output
    assert "2 points of 1 seed each: 1 done already, 1 to run" in output
    # for the second time in the same clone, so checkpoints would be there
    assert trace() == [
        "distill 0 alpha=0.5 temperature=4.0 attempt=2",
        "compare alpha=0.5 temperature=4.0 attempt=1",
    ]
    assert set(experiments(project)) == {"0.1", "0.5"}
    assert (project / "report").is_dir()


@pytest.mark.slow
def test_started_again_at_once_after_a_kill(project: Path):
    """What the killed one has left behind is still ending then."""
    hold = Path(os.environ["HOLD"])
    hold.touch()
    words = ("-S", "distill.alpha=0.5", "--seeds", "1")
    killed = start(project, *words)
    wait_until(is_held, "it never began")
    killed.kill()
    hold.unlink()
    again = start(project, *words)
    output, _ = again.communicate(timeout=120)
    killed.communicate()
    assert again.returncode == 0, output


def test_one_sweep_at_a_time(project: Path):
    options = SweepOptions(("distill.alpha=0.5",), seeds=1)
    with (
        planned_sweep(project, options),
        pytest.raises(SweepError, match="another sweep is running"),
        planned_sweep(project, options),
    ):
        pass
    with planned_sweep(project, options):
        pass  # and again after it
