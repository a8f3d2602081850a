"""Whole runs side by side: the same dvc.lock and cache as `dvc repro`, whatever happens."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.orchestrate.processes import why_cold
from kdtasks.orchestrate.runner.execute import LOGS, RunOptions, execute
from kdtasks.orchestrate.runner.graph import StageState
from tests.tools.complete_params import write_params
from tests.tools.dvc_command import dvc

# runs the project of the current folder, as `kdtasks run` does, in a process of its own
RUN = """
from pathlib import Path
from types import SimpleNamespace
from kdtasks.orchestrate.runner.execute import RunOptions, execute
print('begun', flush=True)
execute(Path.cwd(), RunOptions(workers=4), SimpleNamespace(
    begin=lambda graph: None, perform=lambda node, work: work(lambda line: None),
    skip=lambda node, outcome: None, end=lambda outcomes: None))
"""


def count_missing(project: Path) -> int:
    """Outputs of the project that are not in DVC's cache."""
    from dvc.repo import Repo

    with Repo(str(project)) as repo, repo.lock:
        return sum(out.changed_cache() for stage in repo.index.stages for out in stage.outs)


def is_alive(folder: Path) -> bool:
    """Whether a process other than this one still works in a folder."""
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if link.readlink() == folder and link.parent.name != str(os.getpid()):
                return True
    return False


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "width", "depth", "repeats"), [("split", 6, 3, 3), ("cli", 4, 2, 1)]
)
def test_wide_runs_lose_nothing(
    make_project: Callable[[str, str], Path],
    wide_stages: Callable[[int, int, float], str],
    silent: Any,
    engine: Any,
    width: int,
    depth: int,
    repeats: int,
):
    stages = wide_stages(width, depth, 0.0)
    reference = make_project("reference", stages)
    dvc(reference, "repro", "--quiet")
    expected = (reference / "dvc.lock").read_bytes()
    for repeat in range(repeats):
        project = make_project(f"{engine}-{repeat}", stages)
        outcomes = execute(project, RunOptions(workers=4, engine=engine), silent)
        assert {outcome.state for outcome in outcomes.values()} == {StageState.COMPLETED}
        assert (project / "dvc.lock").read_bytes() == expected
        assert count_missing(project) == 0
    assert dvc(project, "status") == "Data and pipelines are up to date.\n"
    assert "Running" not in dvc(project, "repro")
    again = execute(project, RunOptions(workers=4, engine=engine), silent)
    assert {outcome.state for outcome in again.values()} == {StageState.CACHED}
    assert all(again[name].digest == outcomes[name].digest != "" for name in again)


@pytest.mark.parametrize("engine", ["split", "cli"])
def test_a_failure_takes_only_dependants_along_and_the_next_run_goes_on(
    diamond: Path, silent: Any, engine: Any
):
    good = (diamond / "dvc.yaml").read_text(encoding="utf-8")
    broken = "for i in $(seq 30); do echo line $i; done; echo out of paper >&2; exit 3"
    (diamond / "dvc.yaml").write_text(
        good.replace("cmd: sh work.sh 0.0 out/left out/first", f"cmd: '{broken}'"),
        encoding="utf-8",
    )
    options = RunOptions(engine=engine)
    outcomes = execute(diamond, options, silent)
    assert {name: outcome.state for name, outcome in outcomes.items()} == {
        "first": StageState.COMPLETED,
        "left": StageState.FAILED,
        "right": StageState.COMPLETED,
        "last": StageState.SKIPPED,
    }
    message = outcomes["left"].text
    assert message.startswith("stage left ended with status")
    assert "line 30" in message
    assert "out of paper" in message
    assert "line 9\n" not in message  # the last 20 lines only
    assert "line 9\n" in (diamond / LOGS / "left.log").read_text(encoding="utf-8")
    assert outcomes["last"].message == "it needs left"

    (diamond / "dvc.yaml").write_text(good, encoding="utf-8")
    outcomes = execute(diamond, options, silent)
    assert [outcome.state for outcome in outcomes.values()] == [
        StageState.CACHED,
        StageState.COMPLETED,
        StageState.CACHED,
        StageState.COMPLETED,
    ]
    assert dvc(diamond, "status") == "Data and pipelines are up to date.\n"


def test_several_commands_run_in_turn_and_in_their_folder(
    make_project: Callable[[str, str], Path], silent: Any
):
    project = make_project(
        "folders",
        "stages:\n  one:\n    wdir: below\n    cmd: [pwd, echo $DVC_STAGE > result]\n"
        "    deps: [../source]\n    outs: [result]\n",
    )
    (project / "below").mkdir()
    assert execute(project, RunOptions(), silent)["one"].state is StageState.COMPLETED
    assert (project / "below/result").read_text(encoding="utf-8") == "one\n"
    assert silent.lines["one"] == [
        "> pwd",
        str(project / "below"),
        "> echo $DVC_STAGE > result",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_leaves_no_process_and_no_lock(
    make_project: Callable[[str, str], Path],
    wide_stages: Callable[[int, int, float], str],
    silent: Any,
    number: signal.Signals,
):
    """SIGKILL as well: the guardian outlives the run."""
    project = make_project("project", wide_stages(3, 2, 0.5))
    run = subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    wait_until(lambda: (project / "out/s0-0").exists(), "the first stage never ended")
    wait_until(lambda: (project / LOGS / "s1-0.log").exists(), "no second layer")
    os.kill(run.pid, number)
    run.communicate(timeout=60)
    assert run.returncode != 0
    wait_until(lambda: not is_alive(project), "something of the run is still at work")

    outcomes = execute(project, RunOptions(workers=4), silent)
    assert {StageState.CACHED, StageState.COMPLETED} == {
        outcome.state for outcome in outcomes.values()
    }
    assert "Running" not in dvc(project, "repro")
    reference = make_project("reference", wide_stages(3, 2, 0.5))
    dvc(reference, "repro", "--quiet")
    assert (project / "dvc.lock").read_bytes() == (reference / "dvc.lock").read_bytes()


def test_a_full_disk_fails_the_stage_and_harms_nothing(
    diamond: Path, silent: Any, monkeypatch: pytest.MonkeyPatch
):
    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dvc.stage.Stage.commit", full)
        outcomes = execute(diamond, RunOptions(), silent)
    assert outcomes["first"].message == "stage first: [Errno 28] No space left on device"
    assert [outcome.state for outcome in outcomes.values()] == [
        StageState.FAILED,
        *[StageState.SKIPPED] * 3,
    ]
    assert {outcome.state for outcome in execute(diamond, RunOptions(), silent).values()} <= {
        StageState.COMPLETED,
        StageState.RESTORED,
    }
    assert dvc(diamond, "status") == "Data and pipelines are up to date.\n"


def test_the_command_line_engine_takes_dvc_files(diamond: Path, silent: Any):
    (diamond / "source").rename(diamond / "raw")
    dvc(diamond, "add", "raw")
    text = (diamond / "dvc.yaml").read_text(encoding="utf-8").replace("source", "raw")
    (diamond / "dvc.yaml").write_text(text, encoding="utf-8")
    outcomes = execute(diamond, RunOptions(engine="cli"), silent)
    assert outcomes["raw.dvc"].state is StageState.CACHED
    assert outcomes["last"].state is StageState.COMPLETED


def test_what_a_stage_leaves_behind_holds_nothing_up(
    make_project: Callable[[str, str], Path], silent: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("kdtasks.orchestrate.processes.GRACE_SECONDS", 0.5)
    chatty = "echo done > out; (while sleep 0.01; do echo x; done) &"
    project = make_project("chatty", f"stages:\n  one:\n    cmd: '{chatty}'\n    outs: [out]\n")
    assert execute(project, RunOptions(), silent)["one"].state is StageState.COMPLETED
    wait_until(lambda: not is_alive(project), "it still talks")


KINDS = """\
stages:
  trains: {cmd: python -m stages.tell trained, outs: [trained], meta: {threads: 1}}
  reads: {cmd: python -m stages.tell read, deps: [trained], outs: [read]}
  times: {cmd: python -m stages.tell timed, deps: [read], outs: [timed], meta: {exclusive: true}}
"""
TELL = """
import sys
from pathlib import Path
Path(sys.argv[1]).write_text(str("tensorflow" in sys.modules))
"""


@pytest.mark.skipif(why_cold() is not None, reason=f"stages start cold here: {why_cold()}")
def test_all_but_timed_stages_start_warm(make_project: Callable[[str, str], Path], silent: Any):
    project = make_project("kinds", KINDS)
    write_params(project)
    (project / "stages").mkdir()
    (project / "stages/tell.py").write_text(TELL, encoding="utf-8")
    execute(project, RunOptions(workers=1), silent)
    told = {name: (project / name).read_text() for name in ("trained", "read", "timed")}
    assert told == {"trained": "True", "read": "True", "timed": "False"}
