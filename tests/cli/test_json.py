"""`--json`: every command that prints a result has it, and its output is JSON alone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdtasks.cli import main as command_line
from kdtasks.cli.group import LazyCommands
from kdtasks.cli.output import json_output
from kdtasks.orchestrate.project.doctor import Finding
from kdtasks.orchestrate.project.template import UpgradeResult

# They answer until they are stopped.
SERVERS = {"serve", "agent", "fleet"}


def commands(found: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its name, those of groups with the group's before it."""
    for name, command in found.items():
        if hasattr(command, "commands"):
            yield from commands(command.commands, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


@pytest.fixture
def answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any]]:
    """Run the command line with --json: exit status, and what it prints, parsed."""

    def run(*words: object) -> tuple[int, Any]:
        monkeypatch.setattr("sys.argv", ["kdtasks", *map(str, words), "--json"])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        assert isinstance(ended.value.code, int | None)
        return ended.value.code or 0, json.loads(capsys.readouterr().out)

    return run


def test_every_command_with_a_result_has_the_option():
    lacking = {
        name
        for name, command in commands(LazyCommands(command_line.app))
        if not any("--json" in option.opts for option in command.params)
    }
    assert lacking == SERVERS


def test_recipes(answer: Callable[..., tuple[int, Any]], project: Path):
    status, found = answer("recipe", "list")
    assert status == 0
    assert set(found) == {path.stem for path in (project / "recipes").glob("*.yaml")}
    assert answer("recipe", "show", "mnist-5k")[1]["recipe"] == "mnist-5k"
    assert answer("recipe", "diff", "mnist-5k") == (0, [])
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("temperature: 2.0", "temperature: 4.0"))
    (difference,) = answer("recipe", "diff", "mnist-5k")[1]
    assert difference == {"key": "distill.temperature", "ours": 4.0, "theirs": 2.0}
    status, found = answer("recipe", "use", "mnist-5k", "--force")
    assert (status, found["recipe"]) == (0, "mnist-5k")
    assert Path(found["backup"]).name.startswith("params")


def test_a_run(answer: Callable[..., tuple[int, Any]], project: Path):
    assert answer("run", "--dry-run", "report") == (
        0,
        {name: [] for name in ("prepare", "benchmark@x", "benchmark@y", "report")},
    )
    (project / "write.py").write_text("raise SystemExit(3)", encoding="utf-8")
    status, found = answer("run", "--no-prefect")
    assert status == 1
    states = {name: stage["state"] for name, stage in found["stages"].items()}
    assert states == {
        "prepare": "failed",
        "benchmark@x": "skipped",
        "benchmark@y": "skipped",
        "report": "skipped",
    }
    assert found["failures"] == ["stage prepare ended with status 3"]


def test_what_is_checked(
    answer: Callable[..., tuple[int, Any]], project: Path, monkeypatch: pytest.MonkeyPatch
):
    finding = Finding("fail", "git", "not found", "install it")
    monkeypatch.setattr("kdtasks.orchestrate.project.doctor.examine", lambda folder: [finding])
    assert answer("doctor") == (1, [finding._asdict()])
    monkeypatch.setattr(
        "kdtasks.orchestrate.project.verify.compare_with", lambda *given, **options: False
    )
    assert answer("verify", "--against", "dvc.lock") == (1, {"is_same": False, "hashes": None})
    status, found = answer("keys", "new", "own.pem")
    assert (status, found["private"], found["public"]) == (0, "own.pem", "own.pub.pem")


def test_a_project_that_is_begun_and_upgraded(
    answer: Callable[..., tuple[int, Any]], project: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        "kdtasks.orchestrate.create.project.begin", lambda folder, given: [given.images.name]
    )
    assert answer("init", "flowers", "--images", "photos") == (
        0,
        {"folder": "flowers", "found": ["photos"]},
    )
    done = UpgradeResult("kdtasks 1", "kdtasks 2", [], ["dvc.yaml"], [], {"labels": ["a.py"]}, [])
    monkeypatch.setattr("kdtasks.orchestrate.project.template.upgrade", lambda folder: done)
    assert answer("upgrade") == (0, done._asdict())


def test_an_alias_that_is_moved(
    answer: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    moved = SimpleNamespace(
        alias=SimpleNamespace(name="digits", alias="production", version=3, expires=None),
        before=2,
        lacks_signature=False,
    )
    monkeypatch.setattr(
        "kdtasks.deploy.store.promotion.AliasMover.promote", lambda mover, version: moved
    )
    words = ("promote", "digits", 3, "--alias", "production", "--store", tmp_path / "store")
    assert answer(*words) == (
        0,
        {"model": "digits", "alias": "production", "version": 3, "before": 2},
    )


def test_what_is_told_on_the_way_goes_to_standard_error(capsys: pytest.CaptureFixture[str]):
    with json_output(True) as tell:
        print("on the way")
        tell({"folder": Path("here")})
    assert capsys.readouterr() == ('{\n  "folder": "here"\n}\n', "on the way\n")
    with json_output(False) as tell:
        print("on the way")
        tell({})
    assert capsys.readouterr() == ("on the way\n", "")
