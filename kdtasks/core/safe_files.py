"""Files alone: no links, pipes, sockets or devices in what comes from outside."""

import re
import shutil
import stat
from pathlib import Path

# How DVC names the objects of its cache, which it may link its outputs to.
_OBJECT = re.compile(r".*/files/md5/[0-9a-f]{2}/[0-9a-f]{30}")
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def why_unsafe(path: Path) -> str | None:
    """Say what a path is where it is neither a file nor a folder: to open a pipe may take for ever.

    So is a link: what it leads to may be a file of the user's that nobody means to ship. Links
    into DVC's cache are files; what is not there is no danger.
    """
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
        if kind == stat.S_IFLNK and _OBJECT.fullmatch(path.resolve().as_posix()):
            kind = stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _KINDS.get(kind)


def unsafe_below(folder: Path) -> str | None:
    """Name the first entry of a folder, of any depth, that `why_unsafe` names; None of none."""
    for path in sorted(folder.rglob("*")):  # which looks into no link
        if kind := why_unsafe(path):
            return f"{path.relative_to(folder).as_posix()!r}, {kind}"
    return None


def copy_files(source: Path, target: Path) -> None:
    """Copy a file, or a folder of files and folders, in which nothing else may be.

    Args:
        source: a file, which may be a link of the user's own, or a folder.
        target: what is to be written; it is not there yet.

    Raises:
        OSError: something else is there, as `unsafe_below` names it.
    """
    if not source.is_dir():
        shutil.copyfile(source, target)
        return
    target.mkdir()
    for path in sorted(source.iterdir()):
        if kind := why_unsafe(path):
            raise OSError(f"{path} is {kind}")
        copy_files(path, target / path.name)
