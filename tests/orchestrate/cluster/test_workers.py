"""Workers that share nothing but an S3 server: one is killed, one is cut off."""

import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from kdtasks.orchestrate.runner.execute import RunOptions, execute
from kdtasks.orchestrate.sweep.grid import with_settings
from tests.tools.dask_workers import Worker, environment, git, wait_until

SILENT = SimpleNamespace(
    begin=lambda graph: None,
    perform=lambda node, work: work(lambda line: None),
    skip=lambda node, outcome: None,
    end=lambda outcomes: None,
)


def entries(lock: str) -> list[str]:
    """Of a dvc.lock, sorted: DVC's order of stages that do not need each other is by chance."""
    return sorted(re.split(r"\n(?=  \S)", lock.rstrip("\n")))


def is_held(worker: Worker) -> bool:
    return any(line.startswith("distill") for line in worker.trace)


@pytest.mark.slow
def test_points_go_on_when_a_worker_dies_and_another_loses_the_remote(
    project: Path,
    workers: list[Worker],
    scheduler: str,
    moto_endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
):
    home = project.parent
    settings = ("-S", "distill.alpha=0.5", "-S", "distill.temperature=2,3", "--seeds", "1")
    with subprocess.Popen(
        [sys.executable, "-m", "kdtasks", "sweep", *settings, "--cluster", scheduler],
        cwd=project,
        env=environment(home, moto_endpoint),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as head:
        is_over = head.poll
        wait_until(lambda: sum(map(is_held, workers)) == 2 or is_over() is not None, "not held")
        assert is_over() is None, head.communicate()[0]
        killed, cut_off = filter(is_held, workers)
        (idle,) = (worker for worker in workers if not is_held(worker))
        (idle.home / "HOLD").unlink()
        cut_off.gate.is_open = False
        (cut_off.home / "HOLD").unlink()
        killed.process.send_signal(signal.SIGKILL)
        wait_until(lambda: cut_off.gate.refused, "the remote was not needed")
        wait_until(lambda: is_held(idle), "nobody took over")
        cut_off.gate.is_open = True
        output, _ = head.communicate(timeout=240)
    assert head.returncode == 0, output
    assert "2 points of 1 seed each: 0 done already, 2 to run, 2 at once on 3 workers" in output
    assert "2 completed" in output
    assert "shared by all points | prepare: completed" in output
    assert "Traceback" not in output

    # the stage that the kill has cut short ran once more, all else once on whichever worker
    ran = Counter(line.partition(" attempt")[0] for worker in workers for line in worker.trace)
    lost = killed.trace[-1].partition(" attempt")[0]
    assert lost.startswith("distill 0 alpha=0.5")
    assert ran.pop(lost) == 2
    assert set(ran.values()) == {1}
    stages = {line.partition(" alpha")[0] for line in [*ran, lost]}
    assert stages == {"prepare", "labels", "teacher", "student 0", "distill 0", "compare"}

    # as where it runs on one machine
    for name in ("AWS_ENDPOINT_URL", "TRACE", "HOLD", "BREAK"):
        monkeypatch.setenv(name, str(home / f"local-{name}"))
    references = git(project, "for-each-ref", "--format=%(refname)", "refs/exps").decode().split()
    assert len(references) == 2
    local = home / "local-project"
    git(project, "clone", "--quiet", str(project), str(local))
    (local / "data" / "raw" / "a.txt").write_text("data", encoding="utf-8")
    monkeypatch.chdir(local)
    for reference in references:
        (local / "dvc.lock").unlink(missing_ok=True)
        (local / "params.yaml").write_bytes(git(project, "show", f"{reference}:params.yaml"))
        outcomes = execute(local, RunOptions(("compare",)), SILENT)
        assert all(outcome.is_up_to_date for outcome in outcomes.values())
        found = git(project, "show", f"{reference}:dvc.lock").decode()
        assert entries(found) == entries((local / "dvc.lock").read_text(encoding="utf-8"))
    assert git(project, "status", "--porcelain") == b""


@pytest.mark.slow
def test_a_stage_goes_on_when_its_worker_dies(
    project: Path, workers: list[Worker], scheduler: str, moto_endpoint: str
):
    """The workers are those that the sweep above has left; its params are others."""
    left = [worker for worker in workers if worker.process.poll() is None]
    assert len(left) >= 2
    for worker in left:
        (worker.home / "HOLD").touch()
        (worker.home / "TRACE").unlink(missing_ok=True)
    params = project / "params.yaml"
    settings = {"seeds": [0, 1], "distill.alpha": 0.5, "distill.temperature": 5.0}
    text, _ = with_settings(params.read_text(encoding="utf-8"), settings, source="the test")
    params.write_text(text, encoding="utf-8")
    # DVC's order of stages hangs on it
    variables = {**environment(project.parent, moto_endpoint), "PYTHONHASHSEED": "0"}
    words = [sys.executable, "-m", "kdtasks", "run", "distill"]
    with subprocess.Popen(
        [*words, "--cluster", scheduler],
        cwd=project,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as head:

        def held() -> int:
            return sum(line.startswith("distill") for worker in left for line in worker.trace)

        wait_until(lambda: held() == 2 or head.poll() is not None, "not held")
        assert head.poll() is None, head.communicate()[0]
        killed = next(filter(is_held, left))
        killed.process.send_signal(signal.SIGKILL)
        for worker in left:
            if worker is not killed:
                (worker.home / "HOLD").unlink()
        output, _ = head.communicate(timeout=240)
    assert head.returncode == 0, output
    lost = [line.partition(" attempt")[0] for line in killed.trace if line.startswith("distill")]
    ran = Counter(line.partition(" attempt")[0] for worker in left for line in worker.trace)
    assert [ran.pop(name) for name in lost] == [2] * len(lost)
    assert set(ran.values()) <= {1}

    local = project.with_name("beside")
    git(project, "clone", "--quiet", str(project), str(local))
    (local / "data" / "raw" / "a.txt").write_text("data", encoding="utf-8")
    (local / "params.yaml").write_text(text, encoding="utf-8")
    subprocess.run(words, cwd=local, env=variables, check=True, capture_output=True)
    assert (project / "dvc.lock").read_bytes() == (local / "dvc.lock").read_bytes()
    for seed in "01":
        made, expected = (folder / "models" / "distill" / seed for folder in (project, local))
        assert made.read_bytes() == expected.read_bytes()
