"""Clones: the project as it is, with other params and the project's own cache."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdtasks.orchestrate.project.clone import clone_mark, make_clone
from kdtasks.orchestrate.project.git import WorkingTree, read_working_tree


def tree(project: Path, *reads: str) -> WorkingTree:
    return read_working_tree(
        project, reads={"data/raw", *reads}, outputs=set(), is_ignored=lambda name: False
    )


def clone(project: Path, **options: Any) -> Path:
    known: dict[str, Any] = {"params_text": "a: 1\n", "cache": str(project / "cache"), "mark": "m"}
    found = options.pop("tree", None) or tree(project)
    return make_clone(found, project / "clones" / "a,b", **{**known, **options})


def test_a_clone_is_the_project_as_it_is(project: Path, run_git: Callable[..., str]):
    (project / "work.py").write_text("changed", encoding="utf-8")
    (project / "new.py").write_text("new", encoding="utf-8")
    (project / "models/import/.gitkeep").unlink()
    (project / "dvc.lock").write_text("stages: {}", encoding="utf-8")
    run_git(project, "add", "--force", "dvc.lock")
    run_git(project, "commit", "--quiet", "--message", "lock")
    place = clone(project)
    assert (place / "work.py").read_text(encoding="utf-8") == "changed"
    assert (place / "new.py").read_text(encoding="utf-8") == "new"
    assert (place / "data/raw/a.txt").samefile(project / "data/raw/a.txt")
    assert not (place / "models/import/.gitkeep").exists()
    # of stages that a point does not run, its experiment would show the numbers of others
    assert not (place / "dvc.lock").exists()
    assert (place / "params.yaml").read_text(encoding="utf-8") == "a: 1\n"
    assert run_git(place, "rev-parse", "HEAD") == run_git(project, "rev-parse", "HEAD")


def test_a_clone_uses_the_cache_of_the_project(project: Path):
    """Also where its path holds a comma, which DVC's configuration would take for a list."""
    (project / ".dvc" / "config.local").write_text("[core]\n    remote = x\n", encoding="utf-8")
    place = clone(project, cache=str(project / "the,cache"))
    ended = subprocess.run(
        [sys.executable, "-m", "dvc", "config", "--list"],
        cwd=place, capture_output=True, text=True, check=True,
    )  # fmt: skip
    settings = dict(line.split("=", 1) for line in ended.stdout.splitlines())
    assert settings["cache.dir"].endswith("the,cache")
    assert settings["core.remote"] == "x"
    assert settings["exp.auto_push"].lower() == "false"
    assert settings["core.site_cache_dir"] == str(place / ".dvc/tmp/site")


def test_a_clone_that_is_there_is_kept(project: Path):
    place = clone(project)
    (place / "checkpoint").touch()
    assert clone(project) == place
    assert (place / "checkpoint").exists()


def test_a_clone_of_another_state_is_made_anew(project: Path):
    (clone(project) / "checkpoint").touch()
    place = clone(project, mark="other", params_text="a: 2\n")
    assert not (place / "checkpoint").exists()
    assert (place / "params.yaml").read_text(encoding="utf-8") == "a: 2\n"


def test_a_clone_that_was_cut_short_is_no_clone(project: Path):
    partial = project / "clones" / ".a,b.partial"
    (partial / "rest").mkdir(parents=True)
    assert clone_mark(project / "clones" / "a,b", tree(project)) is None
    assert (clone(project) / "work.py").exists()
    assert not partial.exists()


def test_links_and_inputs_beside_the_project_are_followed(project: Path, tmp_path: Path):
    for name in ("images", "beside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name, encoding="utf-8")
    (project / "data" / "linked").symlink_to("../../images")
    place = clone(project, tree=tree(project, "data/linked", "../beside"))
    assert (place / "data/linked/a.txt").read_text(encoding="utf-8") == "images"
    assert (place / "../beside/a.txt").resolve() == tmp_path / "beside" / "a.txt"


def test_a_relative_link_that_git_has_leads_to_the_same_place(
    project: Path, tmp_path: Path, run_git: Callable[..., str]
):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.txt").write_text("a", encoding="utf-8")
    (project / "data" / "linked").symlink_to("../../images")
    run_git(project, "add", "--force", "data/linked")
    run_git(project, "commit", "--quiet", "--message", "link")
    place = clone(project, tree=tree(project, "data/linked"))
    assert (place / "data/linked/a.txt").read_text(encoding="utf-8") == "a"


def test_a_project_in_a_folder_of_a_repository(project: Path, run_git: Callable[..., str]):
    below = project / "below"
    (below / ".dvc").mkdir(parents=True)
    (below / "dvc.yaml").write_text("stages: {}", encoding="utf-8")
    run_git(project, "add", "--all")
    run_git(project, "commit", "--quiet", "--message", "below")
    found = read_working_tree(below, reads=(), outputs=(), is_ignored=lambda name: False)
    place = clone(below, tree=found)
    assert place == below / "clones" / "a,b" / "below"
    assert (place / "dvc.yaml").is_file()
    assert (place.parent / "work.py").is_file()
