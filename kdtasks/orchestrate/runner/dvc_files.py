"""What a stage of DVC says of itself."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.stage.run import _enforce_cmd_list, _make_cmd, get_executable, prepare_kwargs

from kdtasks.core.errors import ProjectError, StageError
from kdtasks.core.files import write_text
from kdtasks.orchestrate.runner.graph import StageNode

if TYPE_CHECKING:
    from dvc.stage import Stage


MEMORY = "kdtasks-lock-order.json"


class Command(NamedTuple):
    """What a stage runs, one command after another."""

    lines: tuple[str, ...]  # as dvc.yaml has them
    arguments: tuple[tuple[str, ...], ...]  # of each: what to start
    folder: Path
    variables: dict[str, str]  # what DVC adds to the environment


def _command(stage: "Stage") -> Command:
    lines = tuple(_enforce_cmd_list(stage.cmd))
    options = prepare_kwargs(stage)
    shell = get_executable()
    return Command(
        lines,
        tuple(tuple(_make_cmd(shell, line)) for line in lines),
        Path(options["cwd"]),
        {name: value for name, value in options["env"].items() if name.startswith("DVC_")},
    )


def digest(stage: "Stage") -> str:
    """DVC's hash of a stage's first output; empty if it has none."""
    return next((out.hash_info.value or "" for out in stage.outs if out.hash_info), "")


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
        metrics=tuple(str(out) for out in stage.outs if out.metric),
        plots=tuple(str(out) for out in stage.outs if out.plot),
    )


def input_hashes(stage: "Stage") -> dict[str, Any]:
    """DVC's hash of every input, as it was last computed."""
    return {str(dep): dep.hash_info for dep in stage.deps}


@contextmanager
def readable_errors(name: str = "") -> Iterator[None]:
    """Raise StageError for what goes wrong with a stage, ProjectError for all else.

    Arguments: `name` is the stage; empty for the whole project.
    """
    try:
        yield
    except LockError as error:
        raise ProjectError(f"DVC is at work here already: {error}") from None
    except (DvcException, OSError) as error:  # the latter: a full disk, a missing folder
        if name:
            raise StageError(f"stage {name}: {error}") from error
        raise ProjectError(str(error)) from error


class Format(NamedTuple):
    """How DVC reads and writes its lock files."""

    parse: Callable[[str, str], Any]  # of a text and, for messages, its path
    dump: Callable[[Any], str]


class LockFiles:
    """The lock files (one beside every dvc.yaml) of the stages of one run."""

    def __init__(self, folder: Path, stages: Iterable[tuple[str, str]], form: Format) -> None:
        """Arguments: `folder` keeps the order while the run goes on; `stages` are pairs of lock
        file and name, in DVC's order.
        """
        self._files: dict[str, _LockFile] = {}
        self._memory = folder / MEMORY
        # a run that was killed left its own: the order of before that run counts
        known = _remembered(self._memory)
        for path, name in stages:
            if path not in self._files:
                self._files[path] = _LockFile(Path(path), known.get(path), form)
            self._files[path].order.append(name)
        before = {path: file.before for path, file in self._files.items()}
        write_text(self._memory, json.dumps(before))

    def write(self, path: str, entry: dict[str, Any]) -> bool:
        """Write an entry `{name: content}`; true if that changed the file."""
        return self._files[path].update(entry)

    def close(self) -> None:
        """Put what others have written meanwhile in order as well, and forget that order."""
        for file in self._files.values():
            file.update({})
        self._memory.unlink(missing_ok=True)


def _remembered(memory: Path) -> dict[str, list[str]]:
    try:
        return dict(json.loads(memory.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def forget_order(folder: Path) -> None:
    """Forget the order of before a run that was killed: all that it began is done by now."""
    (folder / MEMORY).unlink(missing_ok=True)


class _LockFile:
    def __init__(self, path: Path, before: list[str] | None, form: Format) -> None:
        self._path, self._form = path, form
        self._seen: os.stat_result | None = None
        self._content: Any = {}
        self.before = list(self._read().get("stages") or {}) if before is None else before
        self.order = list(self.before)

    def update(self, added: dict[str, Any]) -> bool:
        """Take entries in; true if that changed the file."""
        content = self._read()
        present = content.get("stages") or {}
        entries = {**present, **added}
        order = [name for name in dict.fromkeys([*self.order, *entries]) if name in entries]
        if order == list(present) and all(present[name] == added[name] for name in added):
            return False
        if not content:
            content["schema"] = "2.0"
        content["stages"] = {name: entries[name] for name in order}
        self._seen = None  # until it is written, what is in memory is not what the file holds
        write_text(self._path, self._form.dump(content))
        self._seen = self._path.stat()
        return True

    def _read(self) -> Any:
        """The content, parsed anew only if somebody else has written the file."""
        if not self._path.is_file():
            self._seen, self._content = None, {}
            return self._content
        now = self._path.stat()
        if self._seen is None or not os.path.samestat(now, self._seen) or _changed(now, self._seen):
            text = self._path.read_text(encoding="utf-8")
            self._content = self._form.parse(text, str(self._path)) or {}
            self._seen = now
        return self._content


def _changed(now: os.stat_result, before: os.stat_result) -> bool:
    return (now.st_mtime_ns, now.st_size) != (before.st_mtime_ns, before.st_size)
