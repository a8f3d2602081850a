"""A run with nothing to do is told without DVC, and never where there is something to do."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.clone import MARK
from kdtasks.orchestrate.runner.execute import RunOptions, execute, nothing_to_do
from kdtasks.orchestrate.runner.graph import StageState
from tests.orchestrate.runner.conftest import states

ALL = RunOptions()
STAGES = """\
stages:
  first:
    cmd: sh work.sh 0 out/first source
    deps: [work.sh, source, photos]
    params: [alpha]
    outs: [out/first]
  last:
    cmd: sh work.sh 0 out/last out/first
    deps: [work.sh, out/first]
    outs: [out/last]
"""


@pytest.fixture
def project(make_project: Callable[[str, str], Path], silent: Any) -> Path:
    """Two stages, the first of which reads a file, a folder and a param; they have run."""
    folder = make_project("project", STAGES)
    (folder / "params.yaml").write_text("alpha: 1\n", encoding="utf-8")
    (folder / "photos" / "cats").mkdir(parents=True)
    (folder / "photos" / "cats" / "tom.txt").write_text("tom", encoding="utf-8")
    assert nothing_to_do(folder, ALL) is None
    execute(folder, ALL, silent)
    return folder


def test_a_run_with_nothing_to_do_is_told_as_dvc_would(project: Path, silent: Any):
    memory = nothing_to_do(project, ALL)
    assert memory
    told = execute(project, ALL, silent, unchanged=memory)
    asked = execute(project, ALL, silent)
    assert states(told) == [StageState.CACHED] * 2
    assert {name: (one.state, one.digest) for name, one in told.items()} == {
        name: (one.state, one.digest) for name, one in asked.items()
    }
    # of other targets, and where more is asked for, nothing is known
    assert nothing_to_do(project, RunOptions(("first",))) is None
    for more in (RunOptions(force=True), RunOptions(pull=True), RunOptions(engine="cli")):
        assert nothing_to_do(project, more) is None

    # nor is anything remembered in the clone of a sweep
    (project / MARK).write_text("state", encoding="utf-8")
    execute(project, RunOptions(("first",)), silent)
    assert nothing_to_do(project, RunOptions(("first",))) is None


def rewrite_in_place(project: Path) -> None:
    """The same size, the same inode and the old time: DVC alone takes it for unchanged."""
    path = project / "source"
    before = path.stat()
    path.write_text("SOURCE", encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def put_an_older_file_there(project: Path) -> None:
    path = project / "photos" / "cats" / "tom.txt"
    (project / "other").write_text("TOM", encoding="utf-8")
    os.utime(project / "other", ns=(1, 1))
    (project / "other").rename(path)


def lead_a_link_elsewhere(project: Path) -> None:
    path = project / "photos" / "cats" / "tom.txt"
    (project / "elsewhere").write_text("other", encoding="utf-8")
    path.unlink()
    path.symlink_to(project / "elsewhere")


def change_a_command(project: Path) -> None:
    path = project / "dvc.yaml"
    path.write_text(path.read_text().replace("0 out/last", "0.0 out/last"), encoding="utf-8")


CHANGES: Mapping[str, tuple[Callable[[Path], object], list[str]]] = {
    "same size, old time": (rewrite_in_place, ["completed", "completed"]),
    "an older file": (put_an_older_file_there, ["completed", "cached"]),
    "a new file": (lambda it: (it / "photos" / "cats" / "new").touch(), ["completed", "cached"]),
    "a new folder": (lambda it: (it / "photos" / "dogs").mkdir(), ["cached", "cached"]),
    "a file that is gone": (
        lambda it: (it / "photos" / "cats" / "tom.txt").unlink(),
        ["completed", "cached"],
    ),
    "a link": (lead_a_link_elsewhere, ["completed", "cached"]),
    "a param": (
        lambda it: (it / "params.yaml").write_text("alpha: 2\n", encoding="utf-8"),
        ["completed", "cached"],
    ),
    "a command": (change_a_command, ["cached", "completed"]),
    "an output that is gone": (
        lambda it: shutil.rmtree(it / "out" / "last"),
        ["cached", "restored"],
    ),
    "an output that was changed": (
        lambda it: (it / "out" / "last" / "text").write_text("mine", encoding="utf-8"),
        ["cached", "restored"],
    ),
    "an empty cache": (
        lambda it: shutil.rmtree(it / ".dvc" / "cache" / "files"),
        ["completed", "completed"],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_seen(project: Path, silent: Any, name: str):
    change, expected = CHANGES[name]
    assert nothing_to_do(project, ALL)
    # an output may be a link to the cache, which nobody writes through
    for path in (project / "out").rglob("text"):
        path.chmod(0o644)
    execute(project, ALL, silent)
    change(project)
    assert nothing_to_do(project, ALL) is None
    assert states(execute(project, ALL, silent)) == expected
    assert nothing_to_do(project, ALL)


@pytest.mark.parametrize("name", [".dvcignore", "photos/.dvcignore", "more.dvc", ".dvc/config"])
def test_dvc_is_asked_again_where_one_of_its_own_files_has_changed(project: Path, name: str):
    with (project / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert nothing_to_do(project, ALL) is None


def test_what_changes_while_the_run_goes_on_is_not_taken_for_done(
    make_project: Callable[[str, str], Path], silent: Any
):
    command = "sh work.sh 0 out/last out/first"
    stages = STAGES.replace(command, f"{command} && echo new > source").replace(
        "    params: [alpha]\n", ""
    )
    folder = make_project("restless", stages)
    (folder / "photos").mkdir()
    assert states(execute(folder, ALL, silent)) == ["completed", "completed"]
    assert nothing_to_do(folder, ALL) is None


def test_a_copy_of_a_project_knows_nothing(project: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, symlinks=True)
    assert nothing_to_do(copy, ALL) is None
    assert nothing_to_do(project, ALL)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1}', "[]", "not JSON"])
def test_a_damaged_memory_is_none(project: Path, text: str):
    for path in (project / ".dvc" / "tmp").glob("kdtasks-up-to-date-*.json"):
        path.write_text(text, encoding="utf-8")
    assert nothing_to_do(project, ALL) is None


def test_a_stage_that_fails_is_no_memory(project: Path, silent: Any):
    (project / "work.sh").write_text("exit 1\n", encoding="utf-8")
    execute(project, ALL, silent)
    assert nothing_to_do(project, ALL) is None


def test_one_run_at_a_time_holds_for_one_that_does_nothing(project: Path, silent: Any):
    from kdtasks.orchestrate.project.project import one_run_at_a_time

    memory = nothing_to_do(project, ALL)
    with (
        one_run_at_a_time(project),
        pytest.raises(ProjectError, match="another run"),
    ):
        execute(project, ALL, silent, unchanged=memory)
