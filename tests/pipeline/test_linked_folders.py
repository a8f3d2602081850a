"""Class folders on another disk: read, watched by DVC, and told where they are missing."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import StageError
from kdtasks.orchestrate.project.template import WATCHED
from kdtasks.orchestrate.runner.repository import Repository
from tests.tools.complete_params import write_params
from tests.tools.dvc_command import init_dvc

ROOT = Path(__file__).parents[2]
RunIn = Callable[..., subprocess.CompletedProcess[str]]


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def linked(
    tmp_path: Path, edit_params: Callable[[Path, dict[str, object]], None], run_in: RunIn
) -> Path:
    """A project with a class folder of its own, and one on another disk, with a link in it."""
    project, disk = tmp_path / "project", tmp_path / "disk"
    for name in ("extensions", "stages", "kdtasks"):
        ignored = shutil.ignore_patterns(".*partial*")
        shutil.copytree(ROOT / name, project / name, ignore=ignored)
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, project / name)
    for name in WATCHED:
        (project / name).mkdir(parents=True)
    for number in range(8):
        draw(project / f"data/raw/cats/{number}.png", number)
        draw(disk / f"dogs/{number}.png", 100 + number)
        draw(disk / f"old dogs/{number}.png", 200 + number)
    (project / "data/raw/dogs").symlink_to(disk / "dogs")
    (disk / "dogs/old ones").symlink_to(disk / "old dogs")
    write_params(project)
    source = {"name": "image_folder"}  # as the guide has it
    edit_params(project, {"data.source": source, "data.image_size": [8, 8]})
    init_dvc(project, "[core]\n    no_scm = true\n")
    return project


def test_an_image_behind_a_link_is_watched_once_it_is_listed(linked: Path, run_in: RunIn) -> None:
    refused = run_in(linked, "dvc", "repro", "prepare", check=False)
    assert "2 folders among the images (data/raw/dogs, data/raw/dogs/old ones)" in refused.stderr
    assert "run `kdtasks links`" in refused.stderr

    listed = run_in(linked, "kdtasks", "links").stdout.splitlines()
    assert listed == ["data/raw/dogs", "data/raw/dogs/old ones"]
    assert "24 images" in run_in(linked, "dvc", "repro", "prepare").stdout
    assert "didn't change" in run_in(linked, "dvc", "repro", "prepare").stdout

    draw(linked.parent / "disk/old dogs/3.png", 999)
    assert "24 images" in run_in(linked, "dvc", "repro", "prepare").stdout
    (linked / "data/raw/dogs").unlink()
    (linked / "data/raw/dogs").symlink_to(linked.parent / "disk/old dogs")
    run_in(linked, "kdtasks", "links")
    assert "16 images" in run_in(linked, "dvc", "repro", "prepare").stdout


def test_what_dvc_does_not_find_is_one_sentence(
    linked: Path, run_in: RunIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(linked)
    gone = linked / "data/raw/wolves"
    gone.symlink_to("/mnt/nowhere/wolves")

    def refusal() -> str:
        repository = Repository(linked)
        try:
            repository.plan(["prepare"])
            with pytest.raises(StageError) as info:
                repository.begin("prepare")
        finally:
            repository.close()
        return str(info.value)

    assert refusal() == (
        f"stage prepare: {gone} is a link to /mnt/nowhere/wolves, which does not exist; mount its "
        "disk, or remove the link"
    )
    told = run_in(linked, "dvc", "repro", "prepare", check=False).stderr  # before DVC looks at it
    assert told.startswith(
        "error: data/raw/wolves is a link to /mnt/nowhere/wolves, which does not"
    )
    assert "failed to reproduce 'code'" in told
    gone.unlink()
    (linked / "data/raw").rename(linked / "data/elsewhere")
    assert refusal().startswith(
        f"stage prepare: {linked}/data/raw not found; put it there, correct the key of params.yaml "
    )
