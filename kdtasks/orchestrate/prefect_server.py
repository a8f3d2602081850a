"""The Prefect server that a run is reported to: the user's own, or one for the run alone."""

import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, chdir, closing, contextmanager
from pathlib import Path

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.guardian import Guardian

# nothing leaves this machine; read by Prefect's servers and by its clients
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
ANSWER_SECONDS = 3.0
START_SECONDS = 180.0  # a fresh database on a busy machine
SETTLE_SECONDS = 2.0  # a server answers before it has written everything down


@contextmanager
def prefect_server(project: Path, *, needed: bool) -> Iterator[str | None]:
    """The API URL to report to for as long as the block runs; none to do without a server.

    That is the server which the user has configured or, where there is none and one is `needed`, a
    temporary one. It stands in PREFECT_API_URL meanwhile, before Prefect is imported.

    Raises:
        ProjectError: one is `needed`, and the configured one does not answer or the temporary one
            does not start.
    """
    url = configured_server(project)
    if url and not is_answering(url):
        complaint = f"the Prefect server at {url} does not answer"
        if needed:
            raise ProjectError(
                f"{complaint}; start it with `prefect server start`, or correct PREFECT_API_URL"
            )
        print(f"{complaint}; running without it", file=sys.stderr)
        url = None
    with ExitStack() as opened:
        if url or needed:
            opened.enter_context(_environment(QUIET))
            url = url or opened.enter_context(temporary_server())
            opened.enter_context(_environment({"PREFECT_API_URL": url}))
        yield url


def configured_server(project: Path) -> str | None:
    """The API URL of the server that the user has configured, in any of Prefect's ways.

    Prefect itself is imported (two seconds) only where one of its files is there.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        return url
    if not _has_settings(project):
        return None
    with chdir(project):  # Prefect reads the files of the current folder
        from prefect.settings import Settings

        return Settings().api.url


def is_answering(url: str) -> bool:
    """Whether a server answers at an API URL."""
    # it is asked for a sign of life only, so its certificate does not matter here
    context = ssl._create_unverified_context()
    address = f"{url.rstrip('/')}/health"
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS, context=context):
            return True
    except urllib.error.HTTPError:
        return True  # such as 401: it is there, and Prefect knows the password
    except (OSError, ValueError):
        return False


@contextmanager
def temporary_server() -> Iterator[str]:
    """A Prefect server for as long as the block runs, on the user's own Prefect database.

    Prefect can start one itself, but in this process's group: Ctrl-C would end it before the run
    could say how it ended, and a killed run would leave it behind.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    options = ("--no-ui", "--no-scheduler", "--no-late-runs", "--log-level", "ERROR")
    command = (sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1")
    with closing(Guardian()) as guardian:
        process = subprocess.Popen(
            [*command, "--port", str(port), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with guardian.watching(process.pid):
            try:
                _wait_for(url, process)
                yield url
                time.sleep(SETTLE_SECONDS)
            finally:
                process.terminate()
                process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_answering(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise ProjectError(
                "Prefect's temporary server did not start; `prefect server start` says why"
            )
        time.sleep(0.2)


def _has_settings(project: Path) -> bool:
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    return (
        "PREFECT_PROFILES_PATH" in os.environ
        or (home / "profiles.toml").is_file()
        or (project / "prefect.toml").is_file()
        or "[tool.prefect" in _text(project / "pyproject.toml")
        or "PREFECT_" in _text(project / ".env").upper()
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set the environment variables that are unset or empty, for as long as the block runs."""
    unset = {name: value for name, value in variables.items() if not os.environ.get(name)}
    os.environ.update(unset)
    try:
        yield
    finally:
        for name in unset:
            del os.environ[name]
