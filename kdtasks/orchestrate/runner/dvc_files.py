"""What a stage of DVC says of itself."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dvc.dependency.db import AbstractDependency
from dvc.dependency.repo import RepoDependency
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.stage.cache import _can_hash
from dvc.stage.exceptions import StageNotFound
from dvc.stage.run import _enforce_cmd_list, _make_cmd, get_executable, prepare_kwargs

from kdtasks.core.errors import ProjectError, StageError, did_you_mean
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.folders import broken
from kdtasks.orchestrate.runner.graph import StageNode
from kdtasks.orchestrate.runner.stamps import Watched
from kdtasks.orchestrate.runner.unchanged import CODE
from kdtasks.orchestrate.warm.stages import words_of_stage

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc.stage import Stage

ELSEWHERE = (RepoDependency, AbstractDependency)  # other repositories, databases


class Command(NamedTuple):
    """What a stage runs, one command after another."""

    steps: tuple[tuple[str, list[str]], ...]  # each as dvc.yaml has it, and what to start
    folder: Path
    variables: dict[str, str]  # what DVC adds to the environment
    is_shared: bool  # once it has run, by the remote and its run-cache


def command_of(stage: "Stage") -> Command:
    """What DVC would run of a stage, and where."""
    options, shell = prepare_kwargs(stage), get_executable()
    return Command(
        tuple((line, _make_cmd(shell, line)) for line in _enforce_cmd_list(stage.cmd)),
        Path(options["cwd"]),
        {name: value for name, value in options["env"].items() if name.startswith("DVC_")},
        is_cacheable(stage) and _can_hash(stage) and all(out.can_push for out in stage.outs),
    )


def _uses_tensorflow(stage: "Stage", meta: dict[str, Any]) -> bool:
    """Whether it is one of ours with threads, which are TensorFlow's unless it says otherwise."""
    has_threads = "threads" in meta and meta.get("tensorflow", True) and not meta.get("exclusive")
    lines = _enforce_cmd_list(stage.cmd) if stage.cmd else []
    return bool(has_threads and any(map(words_of_stage, lines)))


def is_cacheable(stage: "Stage") -> bool:
    """Whether the run-cache can have all that a stage writes."""
    return all(out.use_cache or out.is_metric or out.is_plot for out in stage.outs)


def digest(stage: "Stage") -> str:
    """Hash all outputs of a stage: DVC's hash of one, MD5 of the hashes of several; else empty."""
    found = [out.hash_info.value or "" for out in stage.outs if out.hash_info]
    if len(found) < 2:
        return "".join(found)
    return hashlib.md5(" ".join(found).encode(), usedforsecurity=False).hexdigest()


def find_stages(repo: "Repo", targets: Iterable[str]) -> "list[Stage]":
    """The stages of some names; of a matrix stage all.

    Raises:
        ProjectError: a target does not exist.
    """
    stages: list[Stage] = []
    for target in targets:
        try:
            stages += repo.stage.collect(target)
        except StageNotFound as error:
            names = {stage.addressing for stage in repo.index.stages}
            names |= {name.partition("@")[0] for name in names}
            raise ProjectError(f"{error}{did_you_mean(target, sorted(names))}") from None
    return list(dict.fromkeys(stages))


def stage_node(stage: "Stage", needs: tuple[str, ...]) -> StageNode:
    """A stage as the scheduler sees it.

    Raises:
        ProjectError: its `meta` in dvc.yaml holds something that makes no sense.
    """
    meta = stage.meta if isinstance(stage.meta, dict) else {}
    threads = meta.get("threads", 1)
    if not isinstance(threads, int) or threads < 1:
        raise ProjectError(
            f"stage {stage.addressing}: meta.threads is {threads!r}, expected a whole number from 1"
        )
    return StageNode(
        stage.addressing,
        needs=needs,
        description=stage.desc or "",
        threads=threads,
        exclusive=bool(meta.get("exclusive", False)),
        uses_tensorflow=_uses_tensorflow(stage, meta),
        metrics=tuple(str(out) for out in stage.outs if out.metric),
        plots=tuple(str(out) for out in stage.outs if out.plot),
    )


def files_of(stages: "Iterable[Stage]") -> tuple[list[str], list[str]]:
    """The local files and folders that stages read, and those that they write."""
    reads, writes = [], []
    for stage in stages:
        deps = (dep for dep in stage.deps if not isinstance(dep, ELSEWHERE))
        reads += [dep.fs_path for dep in deps if dep.protocol == "local"]
        writes += [out.fs_path for out in stage.outs]
    return reads, writes


def watched_by(repo: "Repo", stages: "Iterable[Stage]") -> Watched | None:
    """All that decides whether stages have changed; None where some of it is not on a local disk.

    That is what they read and write, the cache's files of that, and the files that say so.
    """
    root, paths = Path(repo.root_dir), set(repo.config.files.values())
    paths |= {str(ProjectPaths(root).params), str(root / "extensions")}
    folders = {str(root)}
    for stage in stages:
        file = Path(stage.path)
        if file.name == "dvc.yaml":
            if re.search(r"^\s+vars:", file.read_text(encoding="utf-8"), re.MULTILINE):
                return None  # files of a stage's own variables
            paths |= {
                str(Path(stage.wdir, name)) for name in stage.dvcfile.resolver.context.imports
            }
        paths |= {str(file), str(file.with_name("dvc.lock"))}
        for entry in (*stage.deps, *stage.outs):
            if isinstance(entry, ELSEWHERE) or entry.protocol != "local":
                return None
            paths.add(entry.fs_path)
            parents = Path(entry.fs_path).parents
            folders |= {str(folder) for folder in parents if folder.is_relative_to(root)}
        for out in stage.outs:
            paths.update(_cached(out))
    return Watched(tuple(sorted(paths)), (CODE,), tuple(sorted(folders)))


def _cached(out: "Output") -> Iterator[str]:
    """The files of DVC's cache that hold an output."""
    content = out.get_obj() if out.use_cache and out.hash_info else None
    if content:
        inside = [found.value for _, _, found in content] if out.hash_info.isdir else []
        for digest in (out.hash_info.value, *inside):
            yield out.cache.oid_to_path(digest)


@contextmanager
def readable_errors(name: str = "") -> Iterator[None]:
    """Raise StageError for what goes wrong with a stage, ProjectError for all else.

    Args: `name` is the stage; empty for the whole project.
    """
    try:
        yield
    except LockError as error:
        raise ProjectError(f"DVC is running here already: {error}") from None
    except FileNotFoundError as error:
        message = missing(Path(error.filename)) if error.filename else str(error)
        raise (StageError(f"stage {name}: {message}") if name else ProjectError(message)) from error
    except (DvcException, OSError) as error:  # the latter: a full disk, a folder of others
        if name:
            raise StageError(f"stage {name}: {error}") from error
        raise ProjectError(" ".join(str(error).split())) from error


def missing(path: Path) -> str:
    """Say what to do about a file or folder that DVC was to hash and did not find."""
    if path.is_symlink():
        return f"{path} is {broken(path)}"
    return (
        f"{path} not found; put it there, correct the key of params.yaml that names it, or, where "
        "it was a linked folder of images, run `kdtasks links`"
    )
