"""Which Prefect server a run is reported to."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.prefect_server import (
    configured_server,
    is_answering,
    prefect_server,
    temporary_server,
)

NOWHERE = "http://127.0.0.1:9/api"


@pytest.fixture(autouse=True)
def unconfigured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without any settings of Prefect; also the user's home."""
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home" / ".prefect"))
    (tmp_path / "home" / ".prefect").mkdir(parents=True)
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/health" else 401)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of a server that knows /api/health and refuses everything else."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_nothing_is_configured_and_prefect_is_not_imported(unconfigured: Path):
    (unconfigured / "pyproject.toml").write_text("[tool.ruff]\n", encoding="utf-8")
    (unconfigured / ".env").write_text("TOKEN=x\n", encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from kdtasks.orchestrate.prefect_server import *; "
        "print(configured_server(Path.cwd()), 'prefect' in sys.modules)"
    )
    words = [sys.executable, "-c", code]
    output = subprocess.run(words, cwd=unconfigured, check=True, capture_output=True, text=True)
    assert output.stdout == "None False\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prefect.toml", '[api]\nurl = "http://toml.example/api"\n'),
        ("pyproject.toml", '[tool.prefect.api]\nurl = "http://toml.example/api"\n'),
        (".env", "PREFECT_API_URL=http://toml.example/api\n"),
    ],
)
def test_a_file_of_the_project_names_the_server(unconfigured: Path, name: str, text: str):
    (unconfigured / name).write_text(text, encoding="utf-8")
    assert configured_server(unconfigured) == "http://toml.example/api"


def test_the_active_profile_names_the_server(unconfigured: Path, monkeypatch: pytest.MonkeyPatch):
    profiles = unconfigured.parent / "home" / ".prefect" / "profiles.toml"
    profiles.write_text(
        'active = "local"\n[profiles.local]\nPREFECT_API_URL = "http://local.example/api"\n'
        '[profiles.team]\nPREFECT_API_URL = "http://team.example/api"\n[profiles.none]\n',
        encoding="utf-8",
    )
    assert configured_server(unconfigured) == "http://local.example/api"
    monkeypatch.setenv("PREFECT_PROFILE", "team")
    assert configured_server(unconfigured) == "http://team.example/api"
    monkeypatch.setenv("PREFECT_PROFILE", "none")
    assert configured_server(unconfigured) is None


def test_the_environment_goes_first(unconfigured: Path, monkeypatch: pytest.MonkeyPatch):
    (unconfigured / "prefect.toml").write_text('[api]\nurl = "http://toml.example/api"\n')
    monkeypatch.setenv("PREFECT_API_URL", "http://variable.example/api")
    assert configured_server(unconfigured) == "http://variable.example/api"


@pytest.mark.parametrize(("path", "expected"), [("/api", True), ("/api/", True), ("/other", True)])
def test_a_server_that_answers_even_with_no(answering: str, path: str, expected: bool):
    assert is_answering(f"{answering}{path}") is expected


@pytest.mark.parametrize("url", [NOWHERE, "nonsense", "http://nowhere.invalid/api", "http://[/api"])
def test_a_server_that_does_not_answer(url: str):
    assert not is_answering(url)


def test_without_a_server_and_unasked_there_is_none(unconfigured: Path):
    with prefect_server(unconfigured, needed=False) as url:
        assert url is None
        assert "PREFECT_API_URL" not in os.environ


def test_the_configured_server_stands_in_the_environment(unconfigured: Path, answering: str):
    (unconfigured / ".env").write_text(f"PREFECT_API_URL={answering}/api\n", encoding="utf-8")
    with prefect_server(unconfigured, needed=False) as url:
        assert url == f"{answering}/api"
        assert os.environ["PREFECT_API_URL"] == url
        assert os.environ["DO_NOT_TRACK"] == "1"
    assert "PREFECT_API_URL" not in os.environ


def test_a_silent_server_is_one_line_or_an_error(
    unconfigured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PREFECT_API_URL", NOWHERE)
    with prefect_server(unconfigured, needed=False) as url:
        assert url is None
    assert capsys.readouterr().err == (
        f"the Prefect server at {NOWHERE} does not answer; running without it\n"
    )
    with (
        pytest.raises(ProjectError, match="does not answer; start it with `prefect server start`"),
        prefect_server(unconfigured, needed=True),
    ):
        pass


@pytest.mark.slow
def test_a_temporary_server_comes_and_goes(unconfigured: Path):
    with prefect_server(unconfigured, needed=True) as url:
        assert url is not None
        assert os.environ["PREFECT_API_URL"] == url
        assert is_answering(url)
    assert not is_answering(url)
    assert "PREFECT_API_URL" not in os.environ


def test_a_temporary_server_that_cannot_start(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PREFECT_SERVER_API_KEEPALIVE_TIMEOUT", "not a number")
    with (
        pytest.raises(ProjectError, match="did not start; `prefect server start` says why"),
        temporary_server(),
    ):
        pass
