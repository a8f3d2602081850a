"""Write aside, then rename: a file or folder is there whole or not at all."""

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kdtasks.core.errors import StoreError, shortened

CHUNK_BYTES = 1 << 20
PARTIAL = ".partial"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`; on success it becomes `path`, on any error it is removed.

    The last ending is kept (`model.weights.h5` is written as `.model.weights.partial.h5`), since
    several writers choose the format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        flush_to_disk(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success it replaces `path` whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        for file in sorted(partial.rglob("*")):
            if file.is_file():
                flush_to_disk(file)
        shutil.rmtree(path, ignore_errors=True)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as sorted, indented JSON: the same content gives the same bytes."""
    write_text(path, json_text(content))


def write_lists(path: Path, lists: Mapping[str, Sequence[str]]) -> None:
    """Write what `write_json` writes of lists by name, an entry at a time."""
    opening = "{"
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for name, entries in sorted(lists.items()):
            file.write(f"{opening}\n  {json.dumps(name, ensure_ascii=False)}: [")
            for number, entry in enumerate(entries):
                comma = "," if number else ""
                file.write(f"{comma}\n    {json.dumps(entry, ensure_ascii=False)}")
            file.write("\n  ]" if len(entries) else "]")
            opening = ","
        file.write("\n}\n" if lists else "{}\n")


def json_text(content: Any) -> str:
    """Give the text that `write_json` writes; dataclasses become objects."""
    text = json.dumps(
        content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False, default=asdict
    )
    return text + "\n"


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_csv(path: Path, header: str, rows: Iterable[Iterable[float]]) -> None:
    """Write rows of numbers with all their digits under a header that ends no line."""
    lines = [header, *(",".join(map(repr, row)) for row in rows)]
    write_text(path, "\n".join(lines) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def flush_to_disk(path: Path) -> None:
    """Make a file's content, or what was renamed in a folder, last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(doing: str, where: Path) -> Iterator[None]:
    """Turn every OSError of the block into one line.

    Args:
        doing: what was being done: `writing the cache`.
        where: the file or folder that it was done to.

    Raises:
        StoreError: instead of OSError.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(f"{doing} in {where} failed: {disk_problem(error, where)}") from None


def disk_problem(error: OSError, where: Path | None = None) -> str:
    """Say in one sentence what the system refused, and what to do.

    Args:
        error: what Python raised.
        where: the file or folder, where the error names none.
    """
    name = shortened(str(error.filename or where or "a file"), max_length=120)
    if error.errno in _FULL:
        return "the disk is full; make room and run the same command again, it resumes"
    if error.errno in _FORBIDDEN:
        return (
            f"{name} may not be written or read ({error.strerror}); change its owner or its mode, "
            "or use another folder"
        )
    if error.errno == errno.ENAMETOOLONG:
        return f"{name} has a name that is too long for this disk; shorten it"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many files are open; raise the limit (`ulimit -n 4096`) and run it again"
    if error.errno == errno.ENOENT:
        return f"{name} does not exist; what writes it comes first, or the path is wrong"
    return f"{name}: {error.strerror or shortened(str(error))}"


@contextmanager
def partial_beside(path: Path) -> Iterator[Path]:
    """Yield a hidden path in the same folder that nobody else uses; it is removed at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL}")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or write over it; several processes may."""
    with partial_beside(path) as partial:
        partial.write_bytes(data)
        flush_to_disk(partial)
        partial.replace(path)


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write named NumPy arrays as `.npz`, all of it or nothing; an empty file if there are none."""
    import numpy as np  # not needed by all who write files

    with atomic_file(path) as partial:
        np.savez(partial, **arrays)
