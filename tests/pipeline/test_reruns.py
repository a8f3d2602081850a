"""Running again: after nothing, after a change of params, after a kill."""

import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from kdtasks.orchestrate.warm.stages import WarmStages
from kdtasks.params import Params

# The limit holds for the whole run too, which the first test waits for.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

RunIn = Callable[..., subprocess.CompletedProcess[str]]

# Runs a stage, which after four epochs, three of them in its checkpoint, waits to be stopped.
WAITING_STAGE = """
import runpy, sys, time
from kdtasks.learn.training.monitor import EpochReporter

end_epoch = EpochReporter.end_epoch

def end_epoch_and_wait(self, record):
    end_epoch(self, record)
    if record["epoch"] == 4:
        print("waiting", flush=True)
        while True:  # a signal that comes just before a sleep counts only after it
            time.sleep(0.05)

EpochReporter.end_epoch = end_epoch_and_wait
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def stages_run(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The stages that `dvc repro` or `kdtasks run` ran."""
    lines = r"(?m)^(?:Running stage '(.+)':|([^|\n]+): completed\b.*)$"
    return {one or other for one, other in re.findall(lines, done.stdout)}


def content(*paths: Path) -> list[bytes]:
    """The bytes of every file below the paths, in order."""
    files = [
        file
        for path in paths
        for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
        if file.is_file()
    ]
    return [file.read_bytes() for file in files]


@pytest.fixture
def bench(project: Path, tmp_path: Path) -> Path:
    """A copy of the project that holds what training needs and nothing that it writes."""
    bench = tmp_path / "bench"
    for name in ("extensions", "kdtasks", "stages", "data"):
        shutil.copytree(project / name, bench / name)
    shutil.copy(project / "params.yaml", bench)
    return bench


def test_nothing_runs_the_second_time(project: Path, run_in: RunIn):
    done = run_in(project, "dvc", "repro")
    assert stages_run(done) == set()
    assert "Data and pipelines are up to date." in done.stdout


def test_another_alpha_runs_distill_and_what_follows(
    project: Path,
    params: Params,
    tmp_path: Path,
    edit_params: Callable[..., None],
    run_in: RunIn,
):
    changed = tmp_path / "changed"
    shutil.copytree(project, changed)
    edit_params(changed, {"distill.alpha": 0.9})
    done = run_in(changed, "kdtasks", "run", "--no-prefect")
    by_variant = ("compress", "calibrate", "export", "evaluate", "benchmark")
    assert stages_run(done) == {
        *(f"distill@{seed}" for seed in params.seeds),
        *(f"{stage}@{variant}" for stage, variant in product(by_variant, params.compress.variants)),
        "sensitivity",
        "compare",
        "report",
    }
    for name in ("models/teacher", "models/student", "data/targets"):
        assert content(project / name) == content(changed / name)
    weights = "models/distill/0/model.weights.h5"
    assert content(project / weights) != content(changed / weights)


def test_a_value_that_cannot_be_is_one_line(
    bench: Path, edit_params: Callable[..., None], run_in: RunIn
):
    edit_params(bench, {"distill.alpha": 1.5})
    done = run_in(bench, sys.executable, "-m", "stages.distill", "0", check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*distill\.alpha.*1\.5.*", done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    assert not (bench / "models").exists()


@pytest.mark.parametrize(
    ("stage", "words", "name", "stop"),
    [
        ("teacher", (), "teacher", signal.SIGKILL),
        ("distill", ("0",), "distill/0", signal.SIGKILL),
        ("student", ("1",), "student/1", signal.SIGINT),
    ],
    ids=["kill_teacher", "kill_distill", "interrupt_student"],
)
def test_a_training_that_was_stopped_ends_with_the_same_bytes(
    stage: str,
    words: tuple[str, ...],
    name: str,
    stop: signal.Signals,
    project: Path,
    bench: Path,
    environment: dict[str, str],
    run_in: RunIn,
    warm_stages: WarmStages,
):
    (bench / "models/start").mkdir(parents=True)
    waiting = bench / "stages/waiting.py"
    waiting.write_text(WAITING_STAGE, encoding="utf-8")
    command = shlex.join([f"stages.{stage}", *words])
    first = warm_stages.words(f"python -m stages.waiting {command}")
    again = warm_stages.words(f"python -m {command}")
    assert first
    assert again
    outputs = [Path("models") / name, Path(f"metrics/{name}.json"), Path(f"plots/{name}.csv")]
    checkpoint = bench / ".kdtasks" / "checkpoints" / f"{name.replace('/', '-')}.npz"
    with subprocess.Popen(
        first,
        cwd=bench,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            assert running.stdout is not None
            is_waiting = any(line == "waiting\n" for line in running.stdout)
            running.send_signal(stop)
            _, errors = running.communicate()
        finally:
            running.kill()
    assert is_waiting, errors
    if stop == signal.SIGINT:
        assert running.returncode == 130
        last = errors.splitlines()[-1]
        assert last == "interrupted; run it again to resume from the last checkpoint"
        assert "Traceback" not in errors
    else:
        assert running.returncode == -signal.SIGKILL
    # Killed in the middle of its epochs: no output is there, neither whole nor in part.
    assert [str(path) for path in outputs if (bench / path).exists()] == []
    assert [path.name for path in (bench / "models").iterdir()] == ["start"]
    assert checkpoint.exists()

    waiting.unlink()
    done = run_in(bench, *again)
    assert "resuming after epoch 3\n" in done.stdout
    expected = content(*(project / path for path in outputs))
    assert len(expected) == (5 if stage == "teacher" else 4)  # with what it was trained on
    assert content(*(bench / path for path in outputs)) == expected
    assert not checkpoint.exists()
