"""A project is written whole, under git and DVC, or not at all."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import DatasetError, ProjectError
from kdtasks.core.installed import refuse_other_code
from kdtasks.orchestrate.create.project import ProjectInputs, begin
from kdtasks.orchestrate.project.recipes import compare_with_recipe, list_recipes
from kdtasks.params import load_project_params
from tests.orchestrate.create.conftest import MakePhotos


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def test_a_project_beside_its_images(
    make_photos: MakePhotos, make_teacher: Callable[..., Path], tmp_path: Path
):
    project, more = tmp_path / "My Photos", make_photos("more")
    photos = make_photos()
    teacher = make_teacher()
    given = ProjectInputs(photos, teacher=teacher, unlabelled=more, classes="blue,green,red")
    sentences = list(begin(project, given))
    assert sentences[0] == "3 classes (blue, green, red), 90 images, 24 to 26 pixels"
    assert sentences[1] == "layout: one folder a class"
    assert sentences[2] == "90 files without labels, which the teacher will answer"
    assert sentences[-1] == "git and DVC are set up, and all files are committed"
    params = load_project_params(project)  # every key is there, and every path
    assert (params.data.path, params.data.unlabelled) == ("../photos", "../more")
    assert params.teacher.path == teacher.as_posix()  # elsewhere, so it is named from the root
    assert params.export.name == "my-photos"
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "log", "--format=%s") == "Project begun with kdtasks init\n"
    assert not any(path.suffix == ".png" for path in project.rglob("*"))
    assert compare_with_recipe(project, "my-photos") == []
    assert {"my-photos", "mnist-5k"} <= list_recipes(project).keys()
    refuse_other_code(project)
    pipeline = (project / "dvc.yaml").read_text(encoding="utf-8")
    assert "kdtasks/core" not in pipeline
    assert "      - extensions\n      - code/installed\n      - stages\n" in pipeline


def test_a_teacher_smaller_than_the_student_is_told(
    make_photos: MakePhotos, make_teacher: Callable[..., Path], tmp_path: Path
):
    *_, labels, _, sizes, _ = begin(
        tmp_path / "new", ProjectInputs(make_photos(), teacher=make_teacher())
    )
    assert labels.startswith("all images are labelled: a teacher pays most")
    assert re.match(r"the student has [\d,]+ weights and the teacher [\d,]+: to gain from", sizes)


def test_masks_elsewhere_are_linked_and_watched(make_masks: Callable[..., Path], tmp_path: Path):
    scenes = make_masks([0, 1])
    (scenes / "images").rename(tmp_path / "pictures")
    given = ProjectInputs(tmp_path / "pictures", masks=scenes / "masks")
    assert all(begin(tmp_path / "scenes project", given))
    project = tmp_path / "scenes project"
    assert (project / "data/raw/images").resolve() == tmp_path / "pictures"
    pipeline = (project / "dvc.yaml").read_text(encoding="utf-8")
    assert '- "data/raw/images"\n      - "data/raw/masks"\n' in pipeline
    assert load_project_params(project).data.task == "segmentation"


def test_nothing_is_left_of_a_project_that_cannot_be(make_photos: MakePhotos, tmp_path: Path):
    photos = make_photos()
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for target, given, kind, message in (
        (
            full,
            ProjectInputs(photos),
            ProjectError,
            "full is there and not empty; give the name of a new",
        ),
        (full / "notes.txt", ProjectInputs(photos), ProjectError, "is there and not empty"),
        (tmp_path / "new", ProjectInputs(full), DatasetError, "full holds no image at any depth"),
        (
            photos / "new",
            ProjectInputs(photos),
            ProjectError,
            "watched for its images; name a folder outside",
        ),
        (
            tmp_path / "new",
            ProjectInputs(photos, unlabelled=full / "x"),
            ProjectError,
            "x is no folder",
        ),
    ):
        with pytest.raises(kind, match=message):
            list(begin(target, given))
        assert sorted(tmp_path.rglob("*")) == before


def test_a_failure_half_way_leaves_nothing(
    make_photos: MakePhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> str:
        raise ProjectError("git is not installed")

    photos = make_photos()
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr("kdtasks.orchestrate.create.project._commit", fail)
    with pytest.raises(ProjectError, match="git is not installed"):
        list(begin(tmp_path / "new", ProjectInputs(photos)))
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_in_a_repository_is_filled_and_not_committed(
    make_photos: MakePhotos, tmp_path: Path
):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "inner").mkdir()
    place = (tmp_path / "inner").stat().st_ino
    sentences = list(begin(tmp_path / "inner", ProjectInputs(make_photos())))
    assert sentences[-1] == "it lies in a git repository: commit it when you like"
    assert (tmp_path / "inner").stat().st_ino == place  # where a shell may be
    assert (tmp_path / "inner" / "dvc.yaml").is_file()
    assert not (tmp_path / "inner" / ".git").exists()
