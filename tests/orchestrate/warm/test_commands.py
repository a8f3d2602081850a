"""Commands in clones of a project, forked from a process that has imported its code."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kdtasks.orchestrate.project.project import child_environment
from kdtasks.orchestrate.warm import commands
from kdtasks.orchestrate.warm.commands import WarmCommands

SAYS = """
import os, sys
from pathlib import Path
import own_code
print(own_code.WHERE, Path.cwd().name, sys.path[0] == os.getcwd(), sys.argv[1:], own_code.LOADED_BY)
sys.stdout.reconfigure(errors="replace")  # as kdtasks does
print("read:", sys.stdin.read())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "project"
    folder.mkdir()
    (folder / "own_code.py").write_text(
        "import os\nWHERE, LOADED_BY = os.path.basename(os.path.dirname(__file__)), os.getpid()\n"
    )
    (folder / "says.py").write_text(SAYS)
    shutil.copytree(folder, folder.with_name("clone"))
    return folder


@pytest.fixture(scope="module")
def warm(project: Path) -> Iterator[WarmCommands]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "_MODULES", ("own_code",))
        patch.setattr(commands, "_OF_REMOTES", ())
        with closing(WarmCommands(project)) as warm:
            yield warm


def run(words: list[str], folder: Path) -> list[str]:
    ended = subprocess.run(
        words, cwd=folder, env=child_environment(), input="in", capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return ended.stdout.splitlines()


def test_a_command_has_the_projects_code_and_the_clones_folder(project: Path, warm: WarmCommands):
    clone = project.with_name("clone")
    first, second = (run(warm.words("says", "a b"), clone) for _ in range(2))
    assert first == second  # own_code is of the same process
    *said, loaded_by = first[0].split(" ")
    assert " ".join(said) == "project clone True ['a b']"
    assert first[1] == "read: in"
    assert loaded_by.isdecimal()


def test_once_it_has_retired_commands_start_cold(project: Path, warm: WarmCommands):
    words = warm.words("says", "a")
    warm.retire()
    warm.retire()
    assert run(words, project.with_name("clone"))[0].startswith("clone clone True")


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_where_forks_are_not_safe_nothing_is_started(
    project: Path, platform: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.platform", platform)
    warm = WarmCommands(project)
    assert warm.words("dvc", "status")[1:] == ["-m", "dvc", "status"]
    assert warm._server is None
