"""Read dvc.lock and compare two of them, output by output."""

import hashlib
import json
import subprocess
from collections.abc import Collection
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from kdtasks.core.errors import ProjectError
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.project.project import child_environment, find_project

if TYPE_CHECKING:
    from kdtasks.core.records.evaluate import Evaluation

Verdict = Literal["same", "timing", "DIFFERENT"]
TIMING_STAGE = "benchmark"  # the only stage whose outputs are measurements of time
JUDGED = "metrics/evaluate/"


class LockedStage(NamedTuple):
    """What dvc.lock records of one stage: path to hash."""

    inputs: dict[str, str]
    outputs: dict[str, str]


Lock = dict[str, LockedStage]


class Row(NamedTuple):
    """One output of one stage in both locks; null where a lock does not have it."""

    stage: str
    path: str
    here: str | None
    there: str | None
    verdict: Verdict


def read_lock(path: Path) -> Lock:
    """Read the hashes of a dvc.lock, stages before those that depend on them.

    Raises:
        ProjectError: the file is none.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {}
        stages = {
            name: LockedStage(_hashes(stage.get("deps")), _hashes(stage.get("outs")))
            for name, stage in content.get("stages", {}).items()
        }
    except (YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ProjectError(f"{path} is no dvc.lock ({reason}); `kdtasks run` writes one") from None
    return {name: stages[name] for name in topological_order(stages)}


def topological_order(lock: Lock) -> list[str]:
    """Names of the stages, each after those whose outputs it reads; ties by name."""
    sorter = TopologicalSorter({name: _needed(name, lock) for name in sorted(lock)})
    sorter.prepare()
    ordered: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += ready
        sorter.done(*ready)
    return ordered


def timing_stages(lock: Lock) -> list[str]:
    """The stages that measure time: `benchmark` and `benchmark@…`."""
    return [name for name in lock if name.partition("@")[0] == TIMING_STAGE]


def stages_after(names: list[str], lock: Lock) -> list[str]:
    """Every stage that reads, directly or not, what the stages `names` write."""
    reached = set(names)
    for name in topological_order(lock):
        if reached & _needed(name, lock):
            reached.add(name)
    return [name for name in lock if name in reached.difference(names)]


def sources(lock: Lock) -> dict[str, str]:
    """Inputs that no stage writes: code, data and their hashes."""
    written = [path for stage in lock.values() for path in stage.outputs]
    return {
        path: value
        for stage in lock.values()
        for path, value in stage.inputs.items()
        if not any(overlaps(path, output) for output in written)
    }


def compare_outputs(here: Lock, there: Lock, *, measured: Collection[str] = ()) -> list[Row]:
    """One row an output, in the order in which the stages run.

    Args:
        here: one lock.
        there: the other.
        measured: stages whose outputs follow from timings, and so may differ as timings do.
    """
    rows = []
    for name in _all_stages(here, there):
        ours = here[name].outputs if name in here else {}
        theirs = there[name].outputs if name in there else {}
        for path in sorted({*ours, *theirs}):
            pair = (ours.get(path), theirs.get(path))
            is_measured = name in measured or name.partition("@")[0] == TIMING_STAGE
            rows.append(Row(name, path, *pair, _verdict(*pair, is_measured=is_measured)))
    return rows


def first_difference(here: Lock, there: Lock) -> str | None:
    """Say in one line where two runs part: which inputs differ, or that none does.

    Timings and what depends on them are skipped.
    """
    timings = timing_stages(here)
    skipped = {*timings, *stages_after(timings, here)}
    for name in _all_stages(here, there):
        if not (name in here and name in there):
            return f"the runs part at stage {name}: only one of them has it"
        ours, theirs = here[name], there[name]
        if name in skipped or ours.outputs == theirs.outputs:
            continue
        changed = sorted(
            path
            for path in {*ours.inputs, *theirs.inputs}
            if ours.inputs.get(path) != theirs.inputs.get(path)
        )
        if changed:
            return f"the runs part at stage {name}; inputs that differ: {', '.join(changed)}"
        return f"the runs part at stage {name}: its inputs are the same, its outputs are not"
    return None


def overlaps(path: str, other: str) -> bool:
    """Whether two paths are the same or one is a folder around the other."""
    first, second = PurePosixPath(path), PurePosixPath(other)
    return first == second or first in second.parents or second in first.parents


def _needed(name: str, lock: Lock) -> set[str]:
    return {
        other
        for other in lock
        if other != name
        and any(
            overlaps(read, written) for read in lock[name].inputs for written in lock[other].outputs
        )
    }


def _all_stages(here: Lock, there: Lock) -> list[str]:
    return [*here, *(name for name in there if name not in here)]


def _verdict(here: str | None, there: str | None, *, is_measured: bool) -> Verdict:
    if here == there:
        return "same"
    return "timing" if is_measured and here and there else "DIFFERENT"


def _hashes(entries: list[dict[str, str]] | None) -> dict[str, str]:
    return {
        entry["path"]: entry.get(entry.get("hash", "md5")) or "no hash" for entry in entries or []
    }


class Origin(NamedTuple):
    """What a project knows of a bundle of its own.

    Attributes:
        provenance: for the manifest: `git_revision` (null where the project is in no repository),
            `git_changed` (whether tracked files differ from it) and `dvc_lock_sha256`.
        test: scores on the test split; None where `evaluate` has not judged just this bundle.
    """

    provenance: dict[str, Any]
    test: "Evaluation | None"


def find_origin(folder: Path) -> Origin | None:
    """Look a bundle up in the dvc.lock of the project around it.

    Null where there is no project, or where its dvc.lock does not say that it wrote just these
    files: then nothing is known for sure.

    Args:
        folder: of the bundle.
    """
    try:
        project = find_project(folder)
    except ProjectError:
        return None
    lock_file = ProjectPaths(project).lock
    if not lock_file.is_file():
        return None
    try:
        lock = read_lock(lock_file)
    except ModuleNotFoundError:  # without the pipeline extra nothing here was made by this machine
        return None
    from kdtasks.core.records.evaluate import Evaluation  # pydantic, of the pipeline extra

    name, found = folder.resolve().relative_to(project).as_posix(), folder_hash(folder)
    if not any(stage.outputs.get(name) == found for stage in lock.values()):
        return None
    provenance = {
        **_git(project),
        "dvc_lock_sha256": hashlib.sha256(lock_file.read_bytes()).hexdigest(),
    }
    for stage in lock.values():
        if stage.inputs.get(name) == found:
            for path, expected in stage.outputs.items():
                if path.startswith(JUDGED) and _has_hash(project / path, expected):
                    return Origin(provenance, Evaluation.read(project / path))
    return Origin(provenance, None)


def folder_hash(folder: Path) -> str:
    """The hash that DVC gives a folder: of the list of its files with their hashes."""
    files = [
        {"md5": _md5(path.read_bytes()), "relpath": path.relative_to(folder).as_posix()}
        for path in folder.rglob("*")
        if path.is_file()
    ]
    files.sort(key=lambda file: file["relpath"])
    return _md5(json.dumps(files, sort_keys=True).encode()) + ".dir"


def _has_hash(path: Path, expected: str) -> bool:
    return path.is_file() and _md5(path.read_bytes()) == expected


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _git(project: Path) -> dict[str, Any]:
    revision = _ask_git(project, "rev-parse", "HEAD")
    changed = _ask_git(project, "status", "--porcelain", "--untracked-files=no")
    return {
        "git_revision": revision,
        "git_changed": None if revision is None else bool(changed),
    }


def _ask_git(project: Path, *words: str) -> str | None:
    try:
        ended = subprocess.run(
            ["git", "-C", str(project), *words],
            env=child_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:  # no git on this machine
        return None
    return ended.stdout.strip() if ended.returncode == 0 else None
