"""Write the lock files of a run in the order of `dvc repro`, whichever stage ends first."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

from kdtasks.core.files import write_json, write_text

MEMORY = "kdtasks-lock-order.json"


class LockFiles:
    """The lock files (one beside every dvc.yaml) of the stages of one run."""

    def __init__(self, folder: Path, stages: Iterable[tuple[str, str]]) -> None:
        """Take in the order of what is there.

        Args:
            folder: keeps the order while the run goes on.
            stages: pairs of lock file and name, in DVC's order.
        """
        self._files: dict[str, _LockFile] = {}
        self._memory = folder / MEMORY
        # a run that was killed left its own: the order of before that run counts
        try:
            known = json.loads(self._memory.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            known = {}
        for path, name in stages:
            if path not in self._files:
                self._files[path] = _LockFile(Path(path), known.get(path))
            self._files[path].order.append(name)
        write_json(self._memory, {path: file.before for path, file in self._files.items()})

    def write(self, path: str, entry: dict[str, Any]) -> bool:
        """Write an entry `{name: content}`; true if that changed the file."""
        return self._files[path].update(entry)

    def close(self) -> None:
        """Put what others have written meanwhile in order as well, and forget that order."""
        for file in self._files.values():
            file.update({})
        self._memory.unlink(missing_ok=True)


class _LockFile:
    def __init__(self, path: Path, before: list[str] | None) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = ()  # the version of the file that was read
        self._content: Any = {}
        self._has_comments = False
        self._dumped: dict[str, tuple[Any, str]] = {}  # entries, and how they are written
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
        self._seen = ()  # until it is written, what is in memory is not what the file holds
        write_text(self._path, self._dump(content))
        self._seen = _version(self._path)
        return True

    def _dump(self, content: Any) -> str:
        """Write the content as DVC does, but each entry once: all of them take half a second."""
        if self._has_comments or list(content)[-1] != "stages":  # DVC's `datasets` come after them
            return dumps_yaml(content)
        for name, entry in content["stages"].items():
            if name not in self._dumped or self._dumped[name][0] is not entry:
                text = dumps_yaml({"stages": {name: entry}})
                self._dumped[name] = entry, text.partition("\n")[2]
        entries = (self._dumped[name][1] for name in content["stages"])
        return dumps_yaml({**content, "stages": None}) + "".join(entries)

    def _read(self) -> Any:
        """The content, parsed anew only if somebody else has written the file."""
        version = _version(self._path)
        if version != self._seen:
            text = self._path.read_text(encoding="utf-8") if version else ""
            self._has_comments = "#" in text
            self._content = parse_yaml_for_update(text, str(self._path)) or {}
            self._seen = version
        return self._content


def _version(path: Path) -> tuple[int, ...] | None:
    """What differs once a file is written; None where there is none."""
    if not path.is_file():
        return None
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
