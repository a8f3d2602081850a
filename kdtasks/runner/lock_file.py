"""Writes dvc.lock as DVC does, with its entries in the order in which `dvc repro` writes them.

DVC appends the entry of a stage that has none yet. Stages that run side by side end in any order,
so a new entry is put where it belongs: the file is then the same to the byte. Written aside and
renamed, so a run that is killed leaves a whole file; and not parsed anew for every stage, which
takes most of DVC's time.
"""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from kdtasks.atomic import write_text

MEMORY = "kdtasks-lock-order.json"


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
