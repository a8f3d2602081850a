"""What a run takes to the DVC remote and brings from there, and its patience with it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from asyncssh import ConnectionLost
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from dvc.data_cloud import DataCloud
from dvc.exceptions import DvcException
from dvc_data.hashfile.transfer import TransferResult
from fsspec.exceptions import FSTimeoutError
from ruamel.yaml import YAML

from kdtasks.core.errors import ProjectError, StageError
from kdtasks.orchestrate.runner import remote
from kdtasks.orchestrate.runner.execute import RunOptions, execute
from kdtasks.orchestrate.runner.graph import StageState
from kdtasks.orchestrate.runner.remote import WAITS_SECONDS, retry_while_unreachable

COMPLETED, PULLED, CACHED = StageState.COMPLETED, StageState.PULLED, StageState.CACHED
BEGINNING = ("left",)  # which needs `first`

Run = Callable[..., list[StageState]]


@pytest.fixture
def shared(diamond: Path, tmp_path: Path) -> Path:
    """The project with a remote, which is a folder."""
    with (diamond / ".dvc" / "config").open("a", encoding="utf-8") as file:
        file.write(
            f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {tmp_path}/r\n"
        )
    return diamond


@pytest.fixture
def run(shared: Path, silent: Any) -> Run:
    """Give a function that runs the project and returns how its stages ended."""

    def run(**options: Any) -> list[StageState]:
        outcomes = execute(shared, RunOptions(**options), silent)
        return [outcome.state for outcome in outcomes.values()]

    return run


def lose(project: Path, *more: str) -> None:
    """Become a fresh clone with an empty cache."""
    for name in (".dvc/cache", "out"):
        shutil.rmtree(project / name)
    for name in ("dvc.lock", *more):
        (project / name).unlink()


def test_what_was_pushed_stage_by_stage_is_run_nowhere_again(
    shared: Path, run: Run, tmp_path: Path
):
    assert run(stages=BEGINNING, push=True) == [COMPLETED] * 2
    lose(shared)
    assert run(pull=True, push=True) == [PULLED, PULLED, COMPLETED, COMPLETED]
    lock = (shared / "dvc.lock").read_bytes()
    shutil.rmtree(tmp_path / "r")
    assert run(push=True) == [CACHED] * 4  # but not there any more
    lose(shared)
    assert run(pull=True) == [PULLED] * 4
    assert (shared / "dvc.lock").read_bytes() == lock


def test_a_fresh_clone_brings_what_its_dvc_lock_says(shared: Path, run: Run, tmp_path: Path):
    run(stages=BEGINNING, push=True)
    for folder in (shared / ".dvc" / "cache", shared / "out", tmp_path / "r" / "runs"):
        shutil.rmtree(folder)
    assert run(stages=BEGINNING, pull=True) == [PULLED] * 2


def test_outputs_of_earlier_inputs_are_not_those_of_new_ones(shared: Path, run: Run):
    assert run(stages=BEGINNING, push=True) == [COMPLETED] * 2
    (shared / "source").write_text("other", encoding="utf-8")
    assert run(stages=BEGINNING, pull=True) == [COMPLETED] * 2
    assert (shared / "out" / "first" / "text").read_text(encoding="utf-8") == "out/firstother"


def stored(remote: Path) -> set[str]:
    """The texts of the files in a remote."""
    paths = (remote / "files").rglob("*[!.dir]")
    return {path.read_text() for path in paths if path.is_file()}


def test_an_output_goes_to_the_remote_that_it_names(shared: Path, run: Run, tmp_path: Path):
    with (shared / ".dvc" / "config").open("a", encoding="utf-8") as file:
        file.write(f"['remote \"private\"']\n    url = {tmp_path}/private\n")
    described = YAML().load(shared / "dvc.yaml")
    described["stages"]["first"]["outs"] = [{"out/first": {"remote": "private"}}]
    YAML().dump(described, shared / "dvc.yaml")
    assert run(stages=BEGINNING, push=True) == [COMPLETED] * 2

    text = (shared / "out" / "first" / "text").read_text()
    assert text in stored(tmp_path / "private") - stored(tmp_path / "r")
    lose(shared)
    assert run(stages=BEGINNING, pull=True) == [PULLED] * 2
    shutil.rmtree(tmp_path / "private")
    lose(shared)
    assert run(stages=BEGINNING, pull=True)[0] == COMPLETED


def test_an_output_without_push_stays_here(shared: Path, run: Run, tmp_path: Path):
    described = YAML().load(shared / "dvc.yaml")
    described["stages"]["first"]["outs"] = [{"out/first": {"push": False}}]
    YAML().dump(described, shared / "dvc.yaml")
    assert run(stages=BEGINNING, push=True) == [COMPLETED] * 2
    first, left = ((shared / "out" / name / "text").read_text() for name in ("first", "left"))
    assert stored(tmp_path / "r") & {first, left} == {left}
    lose(shared)
    assert run(stages=BEGINNING, pull=True) == [COMPLETED, PULLED]


def test_what_is_gone_from_the_remote_runs_again(shared: Path, run: Run, tmp_path: Path):
    run(stages=BEGINNING, push=True)
    shutil.rmtree(tmp_path / "r" / "files")  # not the run-cache
    lose(shared)
    assert run(stages=BEGINNING, pull=True) == [COMPLETED] * 2


def test_a_remote_that_is_away_for_a_while_costs_no_run(
    shared: Path, run: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(remote, "WAITS_SECONDS", (0, 0))
    push, pull = DataCloud.push, DataCloud.pull
    calls: list[int] = []

    def flaky(move: Callable[..., Any], *troubles: Any) -> Callable[..., Any]:
        left = list(troubles)

        def attempt(cloud: DataCloud, contents: Any, **options: Any) -> Any:
            calls.append(len(contents))
            if not left:
                return move(cloud, contents, **options)
            trouble = left.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
            return TransferResult(set(), set(contents) if trouble else set())

        return attempt

    # not reached, or reached for some contents only
    monkeypatch.setattr(DataCloud, "push", flaky(push, ConnectionError("no route"), True))
    assert run(stages=BEGINNING, push=True) == [COMPLETED] * 2
    lose(shared)
    # the second trouble: DVC takes what does not answer for what is not there
    monkeypatch.setattr(DataCloud, "pull", flaky(pull, True, False))
    assert run(stages=BEGINNING, pull=True) == [PULLED] * 2
    assert len(calls) >= 6


def test_refusals(run: Run, diamond: Path):
    with pytest.raises(ProjectError, match="--push and --engine cli do not go together"):
        run(push=True, engine="cli")
    (diamond / ".dvc" / "config").write_text("", encoding="utf-8")
    with pytest.raises(ProjectError, match="--push needs a DVC remote that can hold a run-cache: "):
        run(push=True)
    http = "[core]\n    remote = web\n['remote \"web\"']\n    url = http://localhost/x\n"
    (diamond / ".dvc" / "config").write_text(http, encoding="utf-8")
    with pytest.raises(ProjectError, match=r"--push needs .* a run-cache; got .* by HTTP"):
        run(push=True)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were slept, which takes no time."""
    seconds: list[float] = []
    monkeypatch.setattr(remote.time, "sleep", seconds.append)
    return seconds


def test_patience_has_an_end(slept: list[float]):
    def attempt() -> None:
        raise ConnectionError("no route")

    with pytest.raises(StageError, match=r"reached for 5 minutes \(ConnectionError: no route\)"):
        retry_while_unreachable(attempt)
    assert sum(slept) == sum(WAITS_SECONDS) == 300
    slept.clear()
    with pytest.raises(StageError, match="stopped while the DVC remote could not be reached"):
        retry_while_unreachable(attempt, lambda: len(slept) == 3)
    assert sum(slept) == 3


@pytest.mark.parametrize(
    "error",
    [
        FSTimeoutError("slow"),
        EndpointConnectionError(endpoint_url="s3"),
        ReadTimeoutError(endpoint_url="s3"),
        ClientPayloadError("cut"),
        ConnectionLost("gone"),
    ],
)
def test_what_network_and_store_raise_is_waited_for(slept: list[float], error: Exception):
    troubles = iter([error, error])

    def attempt() -> None:
        for trouble in troubles:
            raise trouble

    retry_while_unreachable(attempt)
    assert sum(slept) == sum(WAITS_SECONDS[:2])


@pytest.mark.parametrize(
    "error",
    [
        PermissionError("no"),
        FileNotFoundError("x"),
        StageError("x"),
        DvcException("x"),
        NoCredentialsError(),
        TypeError("x"),
    ],
)
def test_what_time_does_not_mend_is_raised_at_once(slept: list[float], error: Exception):
    def attempt() -> None:
        raise error

    with pytest.raises(type(error)):
        retry_while_unreachable(attempt)
    assert slept == []
