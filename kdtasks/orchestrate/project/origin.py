"""What a project knows of a bundle of its own, and what any bundle is shipped with."""

import hashlib
import json
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kdtasks.core.errors import ProjectError
from kdtasks.core.paths import ProjectPaths
from kdtasks.edge.bundle_files import CARD, SBOM
from kdtasks.edge.manifest import Manifest
from kdtasks.orchestrate.project.git import try_git
from kdtasks.orchestrate.project.lockfile import read_lock
from kdtasks.orchestrate.project.project import find_project

if TYPE_CHECKING:
    from kdtasks.core.records.evaluate import Evaluation

EVALUATIONS = "metrics/evaluate/"


class Origin(NamedTuple):
    """What a project knows of a bundle of its own.

    Attributes:
        provenance: for the manifest: `git_revision` (null where the project is in no repository),
            `git_changed` (whether tracked files differ from it) and `dvc_lock_sha256`.
        test: scores on the test split; None where `evaluate` has not scored just this bundle.
        card: the model card with this origin at its end; None where it is of other scores.
    """

    provenance: dict[str, Any]
    test: "Evaluation | None"
    card: str | None = None


def find_origin(folder: Path) -> Origin | None:
    """Look a bundle up in the dvc.lock of the project around it.

    None where there is no project, or where its dvc.lock does not say that it wrote just these
    files: then nothing is known for sure.

    Args:
        folder: of the bundle.
    """
    try:
        project = find_project(folder)
    except ProjectError:
        return None
    lock_file = ProjectPaths(project).lock
    try:
        from kdtasks.core.records.evaluate import Evaluation

        lock = read_lock(lock_file) if lock_file.is_file() else {}
    except ModuleNotFoundError:  # without the pipeline extra nothing here was made by this machine
        return None
    name, digest = folder.resolve().relative_to(project).as_posix(), folder_hash(folder)
    if not any(stage.outputs.get(name) == digest for stage in lock.values()):
        return None
    revision = try_git(project, "rev-parse", "HEAD")
    changed = try_git(project, "status", "--porcelain", "--untracked-files=no")
    provenance = {
        "git_revision": revision,
        "git_changed": None if revision is None else bool(changed),
        "dvc_lock_sha256": hashlib.sha256(lock_file.read_bytes()).hexdigest(),
    }
    for stage in lock.values():
        if stage.inputs.get(name) == digest:
            for path, expected in stage.outputs.items():
                file = project / path
                is_scores = path.startswith(EVALUATIONS) and file.is_file()
                if is_scores and _md5(file.read_bytes()) == expected:
                    card = _card(ProjectPaths(project).card, file, provenance)
                    return Origin(provenance, Evaluation.read(file), card)
    return Origin(provenance, None)


def _card(path: Path, scores: Path, provenance: dict[str, Any]) -> str | None:
    """Give the card if it tells the hash of these scores, and so is of this bundle."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if hashlib.sha256(scores.read_bytes()).hexdigest() not in text:
        return None
    revision, changed = provenance["git_revision"], provenance["git_changed"]
    commit = f"`{revision}`{', with changes' if changed else ''}" if revision else "in none"
    lock = provenance["dvc_lock_sha256"]
    return f"{text.rstrip()}\n- commit: {commit}\n- `dvc.lock`, SHA-256: `{lock}`\n"


def shipped_texts(
    names: Container[str], manifest: Manifest, origin: Origin | None
) -> dict[str, str]:
    """Give the files to ship beside those of a bundle, by their names.

    Args:
        names: of the bundle's files: a bill of materials among them stays as it is.
        manifest: of the bundle.
        origin: what a project knows of it.
    """
    from kdtasks.compress.bundle.sbom import missing_sbom

    texts = {} if SBOM in names else {SBOM: missing_sbom(manifest.libraries)}
    return texts | ({CARD: origin.card} if origin and origin.card else {})


def folder_hash(folder: Path) -> str:
    """The hash that DVC gives a folder: of the list of its files with their hashes."""
    files = [
        {"md5": _md5(path.read_bytes()), "relpath": path.relative_to(folder).as_posix()}
        for path in folder.rglob("*")
        if path.is_file()
    ]
    files.sort(key=lambda file: file["relpath"])
    return _md5(json.dumps(files, sort_keys=True).encode()) + ".dir"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
