"""The group of all commands: what it lists without building it, and how commands end."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from socket import gaierror
from urllib.error import URLError

import pytest
import typer

from kdtasks.cli import main as command_line
from kdtasks.cli.group import LazyCommands
from kdtasks.cli.status import MEANINGS, Status

ROOT = Path(__file__).parents[2]
BUG = TypeError("no such\nthing")


def kdtasks(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "kdtasks", *words],
        env={**os.environ, "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_is_built_under_its_name_with_the_help_that_is_listed():
    commands = LazyCommands(command_line.app)
    assert len(commands) > 20
    for name, command in commands.items():
        assert command.name == name
        assert command.help.startswith(commands.registered[name].short_help)
        assert commands.registered[name].short_help.endswith(".")


def test_groups_without_a_name_give_their_commands_and_groups_with_one_stay_whole():
    inner, plain, app = typer.Typer(help="Inner."), typer.Typer(), typer.Typer()
    built: list[str] = []

    def add(to: typer.Typer, name: str | None, function: str) -> None:
        def command() -> None:
            """Do it.

            At length.
            """
            built.append(function)

        command.__name__ = function
        to.command(name)(command)

    add(app, "first", "one")
    add(plain, None, "second_one")
    add(inner, None, "third")
    add(inner, None, "fourth")
    app.add_typer(plain)
    app.add_typer(inner, name="inner")
    commands = LazyCommands(app)
    assert {name: found.short_help for name, found in commands.registered.items()} == {
        "first": "Do it.",
        "second-one": "Do it.",
        "inner": "Inner.",
    }
    assert set(commands["inner"].commands) == {"third", "fourth"}
    commands["second-one"](standalone_mode=False, args=[])
    assert built == ["second_one"]
    assert commands.get("fourth") is None


def test_help_lists_commands_options_and_every_exit_status():
    shown = kdtasks("--help")
    assert shown.returncode == 0
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    for status, meaning in MEANINGS.items():
        assert f"{int(status)} {meaning}" in lines
    assert "--debug Show the traceback of an error." in lines
    assert "doctor Check this machine and this project, and suggest a fix for what is wrong." in (
        lines
    )
    assert "Commands" in kdtasks().stdout + kdtasks().stderr


def test_the_docs_list_the_same_exit_statuses():
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    rows = [f"| {int(status)} | {meaning} |" for status, meaning in MEANINGS.items()]
    assert "\n".join(rows) in text
    assert set(MEANINGS) == set(Status)


def test_help_and_version_import_none_of_the_slow_modules():
    code = (
        "import sys\nfrom kdtasks.cli.main import main\n"
        "sys.argv = ['kdtasks', sys.argv[1]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "slow = {'pydantic', 'numpy', 'markdown_it', 'pygments', 'dvc', 'yaml', 'ruamel'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    for word in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code, word], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rnu",), "no such command 'rnu'. Did you mean 'run'? See `kdtasks --help`"),
        (("--debug", "recipe", "sohw"), "did you mean 'show'? See `kdtasks recipe --help`"),
        (("run", "--wokers", "3"), "no such option: --wokers (Possible options: --workers)."),
        (("predict", "x.kdz"), "missing argument 'images'. See `kdtasks predict --help`"),
        (("run", "--engine", "x"), "'--engine': 'x' is not one of 'split', 'cli'. See"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_a_wrong_word_is_one_line_that_names_the_help(
    words: tuple[str, ...],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr("sys.argv", ["kdtasks", *words])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == Status.USAGE
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("error: ")
    assert written.err.count("\n") == 1
    assert told.lower() in written.err.lower()


@pytest.mark.parametrize("words", [(), ("recipe",)], ids=["all", "group"])
def test_no_word_is_answered_with_the_help_alone(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.argv", ["kdtasks", *words])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == Status.USAGE
    written = capsys.readouterr()
    assert "Usage: kdtasks" in written.out
    assert "error" not in written.err


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run `kdtasks doctor` where that raises an error."""

    def run(*words: str, error: Exception = BUG) -> None:
        def examine(folder: Path) -> None:
            raise error

        monkeypatch.setattr("kdtasks.orchestrate.project.doctor.examine", examine)
        monkeypatch.setattr("sys.argv", ["kdtasks", "doctor", *words])
        command_line.main()

    return run


def test_a_bug_is_one_line_unless_its_traceback_is_asked_for(
    broken: Callable[..., None], capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        broken()
    assert ended.value.code == Status.FAILED
    assert capsys.readouterr().err == (
        "error: TypeError: no such thing; this is a bug: the same command with --debug shows "
        "where\n"
    )
    with pytest.raises(TypeError, match="thing"):
        broken("--debug")


def test_what_the_disk_refuses_is_no_bug(
    broken: Callable[..., None], capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        broken(error=OSError(errno.ENOSPC, "No space left on device", "file"))
    assert ended.value.code == Status.FAILED
    assert capsys.readouterr().err.startswith("error: the disk is full; make room and run")


@pytest.mark.parametrize(
    "error",
    [gaierror(-2, "Name or service not known"), URLError("no route"), TimeoutError(110, "late")],
)
def test_what_the_network_refuses_is_no_file(
    broken: Callable[..., None], capsys: pytest.CaptureFixture[str], error: OSError
):
    with pytest.raises(SystemExit):
        broken(error=error)
    assert capsys.readouterr().err.startswith(f"error: {type(error).__name__}: {error}; this is a")


def test_an_error_of_the_users_keeps_its_traceback_for_debug(tmp_path: Path):
    words = ("inspect", str(tmp_path / "none.tflite"))
    plain, debug = kdtasks(*words), kdtasks(*words, "--debug")
    assert plain.returncode == debug.returncode == Status.FAILED
    assert plain.stderr.startswith("error: ")
    assert plain.stderr.count("\n") == 1
    assert "Traceback" in debug.stderr
    assert "BundleError" in debug.stderr
