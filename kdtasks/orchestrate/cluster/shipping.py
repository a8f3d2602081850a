"""A project on its way to a worker: its files and data lie in the DVC remote, under their hashes.

So a worker brings each of them once, and what the remote has already is not sent again.
"""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from dvc.config import RemoteConfigError
from dvc.fs import LocalFileSystem
from dvc_data.hashfile import load
from dvc_data.hashfile.build import build
from dvc_data.hashfile.checkout import checkout
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.transfer import transfer
from dvc_data.hashfile.tree import Tree

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.project.clone import project_in, write_config
from kdtasks.orchestrate.project.git import SNAPSHOT, WorkingTree, bundle_snapshot, git
from kdtasks.orchestrate.project.lockfile import overlaps
from kdtasks.orchestrate.runner.graph import IsCancelled
from kdtasks.orchestrate.runner.remote import retry_while_unreachable
from kdtasks.orchestrate.sweep.pipeline import open_repository

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc_data.hashfile.db import HashFileDB

# What says where a remote is; keys and passwords are each machine's own.
_WHERE = ("url", "endpointurl", "region")
_DATA, _PROJECT, _CACHE = "data", "project", "cache"


class Parcel(NamedTuple):
    """A file or folder that git does not have whole."""

    path: str  # relative to the project
    digest: str
    is_link: bool  # in the project


class ShippedProject(NamedTuple):
    """Where a worker finds a project."""

    settings: Mapping[str, Mapping[str, str]]  # of DVC: which remote, and where it is
    snapshot: str  # hash of a bundle of git
    parcels: tuple[Parcel, ...]


def remote_settings(repo: "Repo") -> dict[str, dict[str, str]]:
    """The settings by which a worker finds the project's default remote.

    Raises:
        SweepError: there is none.
    """
    name = repo.config["core"].get("remote")
    if not name or name not in repo.config["remote"]:
        raise SweepError(
            "--cluster needs a DVC remote, through which workers get data and hand in results: "
            "`dvc remote add --default storage s3://bucket/prefix`"
        )
    kept = repo.config.load_one("repo").get("remote", {}).get(name, {})  # git has it anyway
    found = {key: value for key, value in repo.config["remote"][name].items() if key in _WHERE}
    texts = {key: str(value) for key, value in {**kept, **found}.items()}
    return {"core": {"remote": name}, f'remote "{name}"': texts}


def ship(project: Path, tree: WorkingTree) -> ShippedProject:
    """Put a project as it is into its remote, for workers to `unpack`.

    Raises:
        SweepError: there is no remote, or stages read what is outside the project.
        StageError: the remote could not be reached for minutes.
    """
    for path in tree.reads:
        if path.startswith((os.sep, "..")):
            raise SweepError(
                f"stages read {path}, which is outside the project, so workers would not have it; "
                "copy it into the project, or `dvc import-url` it"
            )
    with open_repository(project) as repo, TemporaryDirectory() as folder:
        settings = remote_settings(repo)
        bundle = Path(folder) / "bundle"
        bundle_snapshot(tree, bundle)
        snapshot = _send(repo, bundle)
        parcels = [
            Parcel(path, _send(repo, (project / path).resolve()), (project / path).is_symlink())
            for path in tree.reads
            if (project / path).is_symlink()
            or any(overlaps(source, path) for source in tree.sources)
        ]
    return ShippedProject(settings, snapshot, tuple(parcels))


def unpack(
    shipped: ShippedProject, tree: WorkingTree, folder: Path, is_cancelled: IsCancelled
) -> tuple[WorkingTree, str]:
    """Make a copy of a shipped project in a folder, unless it is there already.

    Args:
        tree: of the project where it was shipped.

    Returns: the copy, and the folder of its DVC cache.

    Raises:
        StageError: the remote could not be reached for minutes, or the run was stopped.
    """
    top = folder / _PROJECT
    cache = str(folder.parent / _CACHE)
    project = project_in(top, tree)
    copy = tree._replace(project=project, top=top)
    if top.is_dir():
        return copy, cache
    settings = {**shipped.settings, "cache": {"dir": cache}}
    depot, partial_top = folder / _DATA, folder / f".{_PROJECT}.partial"
    alone = {**settings, "core": {**settings["core"], "no_scm": "true"}}
    write_config(depot / ".dvc" / "config", depot / ".dvc" / "config", alone)
    with open_repository(depot) as repo:
        bundle = depot / "bundle"
        _receive(repo, shipped.snapshot, bundle, is_cancelled)
        partial_top.mkdir(exist_ok=True)
        git(partial_top, "init", "--quiet")
        git(partial_top, "fetch", "--quiet", str(bundle), f"+{SNAPSHOT}:{SNAPSHOT}")
        git(partial_top, "checkout", "--quiet", "--force", "--detach", tree.head)
        git(partial_top, "restore", f"--source={SNAPSHOT}", "--worktree", "--", ".")
        inside = project_in(partial_top, tree)
        for parcel in shipped.parcels:
            target = inside / parcel.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if parcel.is_link:
                target.unlink(missing_ok=True)
                target.symlink_to(depot / parcel.digest)
                target = depot / parcel.digest
            _receive(repo, parcel.digest, target, is_cancelled)
        local = inside / ".dvc" / "config.local"
        write_config(local, local, shipped.settings)
    partial_top.rename(top)
    return copy, cache


def _send(repo: "Repo", path: Path) -> str:
    try:
        remote = repo.cloud.get_remote_odb(None, "--cluster")
    except RemoteConfigError as error:
        raise SweepError(f"--cluster cannot use the DVC remote: {error}") from None
    fs = LocalFileSystem()
    staging, _, content = build(repo.cache.local, str(path), fs, "md5", ignore=repo.dvcignore)
    retry_while_unreachable(partial(_transfer, staging, remote, content.hash_info))
    return str(content.hash_info.value)


def _receive(repo: "Repo", digest: str, path: Path, is_cancelled: IsCancelled) -> None:
    remote, cache = repo.cloud.get_remote_odb(), repo.cache.local
    content = HashInfo("md5", digest)

    def attempt() -> None:
        _transfer(remote, cache, content)
        output = load(cache, content)
        hashes = [entry.value for _, _, entry in output] if isinstance(output, Tree) else [digest]
        if not all(map(cache.exists, hashes)):
            raise OSError(f"not all of {path.name} came")
        checkout(str(path), LocalFileSystem(), output, cache, force=True, quiet=True)

    retry_while_unreachable(attempt, is_cancelled)


def _transfer(source: "HashFileDB", target: "HashFileDB", content: HashInfo) -> None:
    if failed := transfer(source, target, {content}, shallow=False).failed:
        raise OSError(f"{len(failed)} files did not get through")
