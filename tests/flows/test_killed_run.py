"""A run that is killed outright: nothing is left of it, and the server knows."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.crash_reporter import MESSAGE, NOTE, mark_crashed
from flows.pipeline import pipeline


@pytest.mark.slow
def test_kill_in_the_middle_of_a_stage(
    endless_training: Path,
    start_flow: Callable[..., subprocess.Popen[str]],
    newest_run: Callable[[], Any],
    task_states: Callable[..., Any],
    eventually: Callable[..., Any],
    wait_until_gone: Callable[[Path], None],
):
    good = "import shutil, sys; s = sys.argv[1]; shutil.copy('a', f'model-{s}')\n"
    good += "open(f'metrics-{s}.json', 'w').write('{}'); open(f'loss-{s}.csv', 'w').write('a')\n"
    process = start_flow("flows.pipeline", "--workers", "1")
    eventually((endless_training / "pids").exists)
    assert (endless_training / NOTE).is_file()
    process.kill()
    process.wait()
    wait_until_gone(endless_training)
    killed = eventually(lambda: (run := newest_run()).state.is_final() and run)
    assert (killed.state.name, killed.state.message) == ("Crashed", MESSAGE)
    states = task_states(killed.id, 2)  # the other two had not begun
    assert {state.name for state in states.values()} == {"Cached", "Crashed"}

    # no lock is left: the next run goes on, and so does DVC
    (endless_training / "train.py").write_text(good, encoding="utf-8")
    assert pipeline(return_state=True).is_completed()
    assert not (endless_training / NOTE).exists()
    status = subprocess.run(["dvc", "status", "--quiet"], cwd=endless_training, check=False)
    assert status.returncode == 0


def test_the_next_run_marks_what_no_crash_reporter_could(project: Path, prefect_server: str):
    from prefect.client.orchestration import get_client
    from prefect.states import Running

    with get_client(sync_client=True) as client:
        run = client.create_flow_run(pipeline, state=Running())
        (project / NOTE).parent.mkdir(exist_ok=True)
        (project / NOTE).write_text(str(run.id), encoding="utf-8")
        assert pipeline(stages=["prepare"], return_state=True).is_completed()
        state = client.read_flow_run(run.id).state
    assert state is not None
    assert (state.name, state.message) == ("Crashed", MESSAGE)
    assert not (project / NOTE).exists()


def test_a_run_that_has_ended_or_is_unknown_is_left_alone(project: Path, prefect_server: str):
    from prefect.client.orchestration import get_client
    from prefect.states import Completed

    mark_crashed(project)  # there is no note
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(pipeline, state=Completed())
        (project / NOTE).parent.mkdir(exist_ok=True)
        for noted in (str(run.id), "00000000-0000-4000-8000-000000000000"):
            (project / NOTE).write_text(noted, encoding="utf-8")
            mark_crashed(project)
        state = client.read_flow_run(run.id).state
    assert state is not None
    assert state.name == "Completed"
