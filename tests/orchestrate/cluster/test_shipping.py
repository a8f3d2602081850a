"""A project on its way to a worker, through a remote that is a folder."""

import os
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.cluster.shipping import remote_settings, ship, unpack
from kdtasks.orchestrate.project.clone import make_clone
from kdtasks.orchestrate.project.git import WorkingTree, read_working_tree
from kdtasks.orchestrate.sweep.pipeline import open_repository
from tests.tools.dask_workers import git


def tree(project: Path, *reads: str) -> WorkingTree:
    return read_working_tree(
        project,
        reads={"data/raw", "work.py", *reads},
        outputs={"models"},
        is_ignored=lambda name: "__pycache__" in name,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files, those behind links too, that git and DVC have not made themselves."""
    return {
        str(Path(root, name).relative_to(folder)): Path(root, name).read_bytes()
        for root, _, names in os.walk(folder, followlinks=True)
        if not {".git", ".kdtasks", "tmp"} & set(Path(root).relative_to(folder).parts)
        for name in names
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with data, with a remote, and with changes that nobody committed."""
    folder = tmp_path / "head" / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text(
        f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {tmp_path / 'remote'}\n"
    )
    (folder / ".dvc" / ".gitignore").write_text("/tmp\n/cache\n/config.local\n")
    (folder / ".gitignore").write_text("*.txt\n.kdtasks\n")
    for name in ("work.py", "gone.py", "params.yaml"):
        (folder / name).write_text(name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "start")
    (folder / "data" / "raw" / "deep").mkdir(parents=True)
    (folder / "data" / "raw" / "a.txt").write_text("a")
    (folder / "data" / "raw" / "deep" / "b.txt").write_text("b")
    (folder / "work.py").write_text("changed")
    (folder / "new.py").write_text("new")
    (folder / "gone.py").unlink()
    return folder


@pytest.mark.parametrize("is_link", [False, True])
def test_a_clone_made_there_is_one_made_here(project: Path, tmp_path: Path, is_link: bool):
    if is_link:  # as where `kdtasks init` leaves data in place
        (project / "data" / "raw").rename(tmp_path / "elsewhere")
        (project / "data" / "raw").symlink_to(tmp_path / "elsewhere")
    here = tree(project)
    shipment = ship(project, here)
    assert ship(project, here) == shipment  # nothing is sent twice
    assert [(it.path, it.is_link) for it in shipment.parcels] == [("data/raw", is_link)]
    there, cache = unpack(shipment, here, tmp_path / "worker" / "state", lambda: False)
    assert there.project == tmp_path / "worker" / "state" / "project"
    assert Path(cache) == tmp_path / "worker" / "cache"
    options: dict[str, Any] = {"params_text": "a: 1\n", "mark": "m", "cache": cache}
    theirs = make_clone(there, tmp_path / "worker" / "clone", **options)
    ours = make_clone(here, tmp_path / "clone", **options)
    assert (theirs / "data" / "raw" / "deep" / "b.txt").read_text() == "b"
    settings = Path(".dvc") / "config.local"
    assert (theirs / settings).read_text() != (ours / settings).read_text()
    for clone in (theirs, ours):
        (clone / settings).unlink()
    assert contents(theirs) == contents(ours)
    assert contents(theirs)["work.py"] == b"changed"

    # once more it is there already, whatever has become of the remote
    (tmp_path / "remote").rename(tmp_path / "away")
    assert unpack(shipment, here, tmp_path / "worker" / "state", lambda: False) == (there, cache)


def test_secrets_stay(project: Path):
    local = project / ".dvc" / "config.local"
    local.write_text("['remote \"storage\"']\n    url = s3://x/y\n    secret_access_key = hidden\n")
    with open_repository(project) as repo:
        assert remote_settings(repo) == {
            "core": {"remote": "storage"},
            'remote "storage"': {"url": "s3://x/y"},
        }


def test_without_a_remote(project: Path):
    (project / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    with pytest.raises(SweepError, match=r"--cluster needs a DVC remote.*dvc remote add --default"):
        ship(project, tree(project))


@pytest.mark.parametrize("path", ["../faces", "/srv/faces"])
def test_data_outside_the_project(project: Path, path: str):
    with pytest.raises(SweepError, match=f"stages read {path}, which is outside the project"):
        ship(project, tree(project, path))
