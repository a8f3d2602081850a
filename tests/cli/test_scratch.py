"""The scratch clone: what comes along and what must not."""

import shutil
import subprocess
from pathlib import Path

import pytest
from configobj import ConfigObj

from kdtasks.orchestrate.project.clone import make_scratch_clone, replace_outputs
from kdtasks.orchestrate.project.lockfile import LockedStage, read_lock
from kdtasks.orchestrate.project.project import ProjectError


def test_files_come_along_outputs_lock_and_cache_do_not(project: Path, tmp_path: Path):
    (project / "untracked.py").write_text("1", encoding="utf-8")
    (project / ".dvc" / "config").write_text(
        "[core]\n    remote = store\n[cache]\n    dir = /shared\n[parsing]\n    bool = store_true\n"
        "['remote \"store\"']\n    url = s3://bucket\n"
    )
    clone = make_scratch_clone(project, tmp_path / "base", read_lock(project / "dvc.lock"))
    files = sorted(
        str(path.relative_to(clone))
        for path in clone.rglob("*")
        if path.is_file() and ".git" not in path.parts and "recipes" not in path.parts
    )
    # report/.gitignore is DVC's own, beside the output report/page
    assert files == [
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
        ".gitignore",
        "dvc.yaml",
        "params.yaml",
        "report/.gitignore",
        "source",
        "untracked.py",
        "write.py",
    ]
    assert ConfigObj(str(clone / ".dvc" / "config")) == {
        "parsing": {"bool": "store_true"},
        "core": {"analytics": "false", "check_update": "false", "autostage": "false"},
        "cache": {"dir": "cache", "type": "copy"},
    }
    assert (clone / ".git").is_dir()


def test_linked_folders_of_images_lead_to_the_same_place(project: Path, tmp_path: Path):
    disk, old = tmp_path / "disk", tmp_path / "old"
    for number, folder in enumerate((project / "photos/cats", disk, old)):
        folder.mkdir(parents=True)
        (folder / "1.png").write_text(str(number), encoding="utf-8")
    (project / "photos/dogs").symlink_to("../../disk")  # relative, as many are
    (disk / "old").symlink_to(old)
    with (project / ".gitignore").open("a", encoding="utf-8") as file:
        file.write("/photos\n")
    inputs = dict.fromkeys(["photos/dogs/old", "photos/dogs", "photos"], "1")
    clone = make_scratch_clone(project, tmp_path / "base", {"prepare": LockedStage(inputs, {})})
    found = [clone / "photos" / name for name in ("cats/1.png", "dogs/1.png", "dogs/old/1.png")]
    assert [path.read_text(encoding="utf-8") for path in found] == ["0", "1", "2"]
    assert (disk / "old").is_symlink()  # what lies behind a link is not the clone's to change


def test_ignored_inputs_are_copied_and_outside_ones_linked(project: Path, tmp_path: Path):
    photos = project / "photos"
    photos.mkdir()
    (photos / "1.png").write_text("1", encoding="utf-8")
    (photos / "__pycache__").mkdir()
    with (project / ".gitignore").open("a", encoding="utf-8") as file:
        file.write("/photos\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "teacher.h5").write_text("t", encoding="utf-8")
    (project / "empty").mkdir()
    inputs = {"photos": "1", "../outside": "1", "empty": "1", str(tmp_path / "outside"): "1"}
    clone = make_scratch_clone(project, tmp_path / "base", {"prepare": LockedStage(inputs, {})})
    assert (clone / "photos" / "1.png").read_text(encoding="utf-8") == "1"
    assert not (clone / "photos" / "__pycache__").exists()
    assert (clone / "empty").is_dir()
    linked = clone / ".." / "outside" / "teacher.h5"
    assert linked.read_text(encoding="utf-8") == "t"
    assert (tmp_path / "base") in (clone / ".." / "outside").absolute().parents


def test_a_missing_input_is_named(project: Path, tmp_path: Path):
    with pytest.raises(ProjectError, match=r"input photos is in dvc\.lock, but not in"):
        make_scratch_clone(
            project, tmp_path / "base", {"prepare": LockedStage({"photos": "1"}, {})}
        )


def test_a_folder_that_is_no_git_clone(project: Path, tmp_path: Path):
    shutil.rmtree(project / ".git")
    with pytest.raises(ProjectError, match=r"`git ls-files` failed in .*not a git repository"):
        make_scratch_clone(project, tmp_path / "base", {})


def test_deleted_files_are_left_out(project: Path, tmp_path: Path):
    subprocess.run(["git", "add", "source"], cwd=project, check=True)
    (project / "source").unlink()
    clone = make_scratch_clone(project, tmp_path / "base", {})
    assert not (clone / "source").exists()


def test_replacing_an_output_leaves_the_file_behind_a_link_alone(tmp_path: Path):
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "folder").mkdir(parents=True)
    (there / "folder").mkdir(parents=True)
    (here / "file").write_text("new", encoding="utf-8")
    (here / "folder" / "a").write_text("new", encoding="utf-8")
    (there / "folder" / "b").write_text("old", encoding="utf-8")
    (tmp_path / "cache").write_text("old", encoding="utf-8")
    (there / "file").hardlink_to(tmp_path / "cache")
    replace_outputs(here, there, ["file", "folder"])
    assert (there / "file").read_text(encoding="utf-8") == "new"
    assert (tmp_path / "cache").read_text(encoding="utf-8") == "old"
    assert [path.name for path in (there / "folder").iterdir()] == ["a"]
