"""Read a folder that is to be published: which files it has, and their hashes."""

import os
from pathlib import Path

from kdtasks.edge.contents import MODEL
from kdtasks.edge.manifest import Manifest
from kdtasks.errors import StoreError
from kdtasks.store.disk import disk_errors
from kdtasks.store.objects import PART_BYTES
from kdtasks.store.paths import problem_of_path, problem_of_paths
from kdtasks.store.source import Claim, Source, claimed_source, read_source
from kdtasks.store.transfers import Transfers
from kdtasks.store.version import HASH


def read_folder(folder: Path, claim: Claim | None = None) -> dict[str, Source]:
    """Hash all files of a folder.

    Links to files count as files, since DVC may link its outputs; links to folders and anything
    else that is no file are refused.

    Arguments:
        claim: of the hash of one file. If that is large, it is still being hashed when this
            returns, so that it can be sent meanwhile.

    Returns: path inside the folder, with slashes, to file; in the order of the paths.

    Raises:
        StoreError: the folder is missing or empty, or holds what cannot be published.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder} is no folder; give the folder of a bundle")
    paths: dict[str, Path] = {}
    sources: dict[str, Source] = {}

    def read(inside: str) -> None:
        path = paths[inside]
        if claim and claim.path == inside and path.stat().st_size > PART_BYTES:
            sources[inside] = claimed_source(path, claim)
        else:
            sources[inside] = read_source(path)

    with disk_errors("reading the bundle", folder):
        for path in sorted(folder.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                continue
            inside = path.relative_to(folder).as_posix()
            problem = problem_of_path(inside)
            if not path.is_file():
                problem = "it is a link to a folder, or no file; a bundle consists of files"
            if problem:
                raise StoreError(f"{path} cannot be published: {problem}; rename or remove it")
            paths[inside] = path
        Transfers(os.cpu_count() or 1).run(read, paths)
    problem = problem_of_paths(sources) or (None if sources else "it is empty")
    if problem:
        raise StoreError(f"{folder} cannot be published: {problem}")
    return dict(sorted(sources.items()))


def model_claim(manifest: Manifest) -> Claim | None:
    """What a bundle's manifest says of its model's content; null if that is no SHA-256."""
    is_hash = isinstance(manifest.sha256, str) and HASH.fullmatch(manifest.sha256)
    return Claim(MODEL, manifest.sha256, "manifest.json") if is_hash else None
