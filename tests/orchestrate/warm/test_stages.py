"""Warm stages: to their runner, and to themselves, as those that `python -m` starts."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kdtasks.orchestrate.processes import run_streamed
from kdtasks.orchestrate.project.project import child_environment
from kdtasks.orchestrate.warm import server
from kdtasks.orchestrate.warm.stages import SharedStages, WarmStages
from kdtasks.params import load_params


@pytest.fixture
def start(project: Path) -> Callable[[list[str]], tuple[int, list[str]]]:
    def start(words: list[str]) -> tuple[int, list[str]]:
        lines: list[str] = []
        environment = {**child_environment(), "MARK": "set", "PYTHONUNBUFFERED": "1"}
        status = run_streamed(words, folder=project, environment=environment, on_line=lines.append)
        return status, lines

    return start


@pytest.mark.parametrize(
    "line",
    [
        "python -m stages.show 0 int8+filters",
        "python -m stages.tidy",
        "python -m stages.leave 'two words'",
        "python -m stages.status",
        "python -m stages.killed",
    ],
)
def test_a_warm_stage_prints_and_ends_as_a_cold_one(
    warm: WarmStages, start: Callable[[list[str]], tuple[int, list[str]]], line: str
):
    words = warm.words(line)
    assert words
    status, lines = start(words)
    cold_status, cold_lines = start(["/bin/sh", "-c", f"exec {line}"])
    if "show" in line:
        assert lines[1] == "tensorflow is there: True True"
        assert lines[2] == "kdtasks is there: True"
        assert cold_lines[1:3] == ["tensorflow is there: False True", "kdtasks is there: False"]
        lines[1:3] = cold_lines[1:3]
    assert (status, sorted(lines)) == (cold_status, sorted(cold_lines))


def test_an_error_keeps_its_traceback(
    warm: WarmStages, start: Callable[[list[str]], tuple[int, list[str]]]
):
    status, lines = start(warm.words("python -m stages.fail") or [])
    assert status == 1
    assert lines[-1] == "RuntimeError: no good"
    assert any(line.strip().startswith('File "') and "fail.py" in line for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "sh work.sh",
        "python -m stages.show | tee log",
        "python -m stages.show && true",
        "# don't\npython -m stages.show",
        "python -m other.module",
        "python -m",
        "python stages/show.py",
    ],
)
def test_other_commands_stay_as_they_are(warm: WarmStages, line: str):
    assert warm.words(line) is None


def _family(warm: WarmStages, project: Path) -> tuple["subprocess.Popen[str]", list[int]]:
    words = warm.words("python -m stages.family") or []
    client = subprocess.Popen(
        words,
        cwd=project,
        env=child_environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert client.stdout
    with client.stdout as stream:
        assert stream.readline() == "ready\n"
    pids = (project / "pids").read_text(encoding="utf-8").split()
    return client, [int(pid) for pid in pids]


def _wait_until_gone(pids: list[int]) -> None:
    for pid in pids:
        while Path(f"/proc/{pid}/stat").exists():  # the test's own limit ends the wait
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
            if state.split()[0] in "ZX":  # nobody collects orphans in some containers
                break
            time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_who_ends_the_client_ends_all_of_the_stage(
    warm: WarmStages, project: Path, number: signal.Signals
):
    client, pids = _family(warm, project)
    os.killpg(client.pid, number)
    _wait_until_gone(pids)
    assert client.wait() in (-number, 1)  # 1: an uncaught KeyboardInterrupt


def test_a_stage_that_waits_for_the_servers_imports_ends_at_once(project: Path):
    with closing(WarmStages(project)) as warm:
        words = warm.words("python -m stages.show") or []
        assert warm._server
        os.kill(warm._server.pid, signal.SIGSTOP)  # it imports, and answers nobody
        with subprocess.Popen(words, cwd=project) as client:
            while not _catches(client.pid, signal.SIGTERM):
                assert client.poll() is None
                time.sleep(0.02)
            client.terminate()
            assert client.wait() == 1


def _catches(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    caught = status.partition("SigCgt:")[2].split()[0]
    return bool(int(caught, 16) >> (number - 1) & 1)


def test_a_stage_takes_no_other_and_not_the_server_with_it(
    warm: WarmStages, project: Path, start: Callable[[list[str]], tuple[int, list[str]]]
):
    client, pids = _family(warm, project)
    assert start(warm.words("python -m stages.killed") or [])[0] == -signal.SIGKILL
    status, lines = start(warm.words("python -m stages.show") or [])
    assert (status, lines[1]) == (0, "tensorflow is there: True True")
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    os.killpg(client.pid, signal.SIGTERM)
    _wait_until_gone(pids)
    client.wait()


def test_without_its_server_a_stage_starts_cold(
    project: Path, start: Callable[[list[str]], tuple[int, list[str]]]
):
    warm = WarmStages(project)
    words = warm.words("python -m stages.show") or []
    warm.close()
    status, lines = start(words)
    assert (status, lines[1]) == (0, "tensorflow is there: False True")


def test_runs_pinned_alike_share_a_server_but_no_code(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clone = tmp_path / "clone"
    shutil.copytree(project, clone)
    (clone / "stages/show.py").write_text("import tensorflow; print('the clone')", encoding="utf-8")
    runtime = load_params(project / "params.yaml").runtime
    with closing(SharedStages((project, runtime))) as shared:
        for name, value in shared.for_runs().items():
            monkeypatch.setenv(name, value)
        assert shared._server
        mapped = Path(f"/proc/{shared._server.pid}/maps")
        assert "tensorflow" not in mapped.read_text(encoding="utf-8")  # before it is needed
        for folder, said in ((project, "tensorflow is there: True True"), (clone, "the clone")):
            with closing(WarmStages(folder)) as warm:
                words = warm.words("python -m stages.show 0") or []
                assert warm.address() == shared.address()
                environment = {**child_environment(), "MARK": "set"}
                shown = subprocess.check_output(words, cwd=folder, env=environment, text=True)
                assert said in shown.splitlines()
        assert "tensorflow" in mapped.read_text(encoding="utf-8")

        params = clone / "params.yaml"
        text = params.read_text(encoding="utf-8").replace("  threads: 1", "  threads: 3")
        params.write_text(text, encoding="utf-8")
        with closing(WarmStages(clone)) as other:
            assert other.address() not in (None, shared.address())


def test_what_needs_no_tensorflow_does_not_wait_for_it(project: Path):
    with closing(WarmStages(project)) as warm:
        assert not warm.is_ready()
        warm.begin()
        warm.begin()  # from another thread
        assert warm._server
        os.kill(warm._server.pid, signal.SIGSTOP)  # it imports
        assert warm.words("python -m stages.show", waits=False) is None
        os.kill(warm._server.pid, signal.SIGCONT)
        while not warm.is_ready():  # the test's own limit ends the wait
            time.sleep(0.05)
        assert warm.words("python -m stages.show", waits=False)


def test_a_client_that_goes_away_at_once_harms_nothing(
    warm: WarmStages, start: Callable[[list[str]], tuple[int, list[str]]]
):
    words = warm.words("python -m stages.show") or []
    for said in (b"", b"\0\0\0\x09half"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(warm._address)
            client.sendall(said)
    status, lines = start(words)
    assert (status, lines[1]) == (0, "tensorflow is there: True True")


def test_where_tensorflow_cannot_be_imported_stages_start_cold(
    project: Path,
    tmp_path: Path,
    start: Callable[[list[str]], tuple[int, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('damaged')", encoding="utf-8")
    environment = {**child_environment(), "PYTHONPATH": str(tmp_path)}
    monkeypatch.setattr(server, "child_environment", lambda: environment)
    warm = WarmStages(project)
    status, lines = start(warm.words("python -m stages.show") or [])
    warm.close()
    assert (status, lines[1]) == (0, "tensorflow is there: False True")


def test_a_folder_too_deep_for_a_socket_starts_cold(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    warm = WarmStages(project)
    assert warm.words("python -m stages.show") is None
    warm.close()


def test_the_server_ends_after_the_last_stage(project: Path):
    warm = WarmStages(project)
    client, pids = _family(warm, project)
    server = warm._server
    assert server
    assert server.stdin
    server.stdin.close()  # as if the run had been killed
    os.killpg(client.pid, signal.SIGKILL)
    server.wait()
    _wait_until_gone(pids)
    client.wait()
    warm.close()
