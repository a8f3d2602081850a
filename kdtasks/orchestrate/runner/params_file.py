"""Params files, parsed once for all looks that DVC takes at stages; it parses them at every one."""

import os
import pickle
from functools import lru_cache
from typing import Any

import dvc.dependency.param
from dvc.fs import LocalFileSystem
from dvc.utils.serialize import load_path


def parse_once() -> None:
    """Let DVC, in this process from here on, parse a version of a params file on disk once."""
    dvc.dependency.param.load_path = _load


def _load(path: str, fs: Any, **options: Any) -> Any:
    if options or not isinstance(fs, LocalFileSystem):
        return load_path(path, fs, **options)
    try:
        status = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return load_path(path, fs)  # which says so in its own way
    return pickle.loads(_pickled(path, status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(maxsize=8)
def _pickled(path: str, *version: int) -> bytes:
    """The content, for a copy that is the caller's own."""
    return pickle.dumps(load_path(path, LocalFileSystem()))
