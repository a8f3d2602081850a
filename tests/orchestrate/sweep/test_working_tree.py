"""What a project holds besides its last commit, and when two states of it are the same."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.git import WorkingTree, last_commit, read_working_tree


def tree(project: Path, **options: Any) -> WorkingTree:
    known: dict[str, Any] = {
        "reads": {"data/raw", "work.py"},
        "outputs": {"metrics/compare.json", "models/student/0"},
        "is_ignored": lambda name: "__pycache__" in name,
    }
    return read_working_tree(project, **{**known, **options})


def test_a_project_as_it_was_committed_differs_in_its_data_alone(project: Path):
    found = tree(project)
    assert found.changed == found.removed == ()
    assert found.sources == ("data/raw/a.txt",)
    assert found.top == found.project == project


def test_what_differs_is_found(project: Path, run_git: Callable[..., str]):
    (project / "work.py").write_text("changed", encoding="utf-8")
    (project / "new.py").write_text("new", encoding="utf-8")
    (project / "staged.py").write_text("staged", encoding="utf-8")
    run_git(project, "add", "staged.py")
    (project / "models/import/.gitkeep").unlink()
    with (project / ".git/info/exclude").open("a", encoding="utf-8") as file:
        file.write("__pycache__\n")
    # neither what stages write, nor the params that a point has itself, nor what is nobody's
    for name in ("metrics/compare.json", "dvc.lock", ".kdtasks/x", "data/raw/__pycache__/x.txt"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("output", encoding="utf-8")
    with (project / "params.yaml").open("a", encoding="utf-8") as file:
        file.write("# own\n")
    found = tree(project)
    assert found.changed == ("new.py", "staged.py", "work.py")
    assert found.removed == ("models/import/.gitkeep",)
    assert found.sources == ("data/raw/a.txt",)


def test_only_what_stages_read_counts_for_results(project: Path):
    before = tree(project)
    (project / "notes.md").write_text("notes", encoding="utf-8")
    after = tree(project)
    assert after.inputs() == before.inputs()
    assert after.state() != before.state()


@pytest.mark.parametrize("name", ["work.py", "data/raw/a.txt", "data/raw/b.txt"])
def test_inputs_change_with_what_stages_read(project: Path, name: str):
    before = tree(project).inputs()
    (project / name).write_text("something else", encoding="utf-8")
    assert tree(project).inputs() != before


def test_inputs_change_with_the_time_of_data(project: Path):
    before = tree(project).inputs()
    os.utime(project / "data/raw/a.txt", (1, 1))
    assert tree(project).inputs() != before


def test_a_project_may_be_a_folder_of_a_repository(project: Path, run_git: Callable[..., str]):
    below = project / "below"
    (below / "data").mkdir(parents=True)
    (below / "a.py").write_text("a", encoding="utf-8")
    (project / "beside.py").write_text("b", encoding="utf-8")
    found = tree(below, reads=set())
    assert (found.top, found.project, found.changed) == (project, below, ("a.py",))


def test_inputs_beside_the_project_are_known(project: Path):
    assert tree(project, reads={"../data", "/data", "work.py"}).outside == ("../data",)


def test_without_git_or_a_commit_there_are_no_experiments(
    tmp_path: Path, run_git: Callable[..., str]
):
    with pytest.raises(ProjectError, match=r"is in no git repository.*git init"):
        last_commit(tmp_path)
    run_git(tmp_path, "init", "--quiet")
    with pytest.raises(ProjectError, match=r"has no commit yet.*git commit"):
        last_commit(tmp_path)
