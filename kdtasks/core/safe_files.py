"""What comes from outside: files alone, which unpack to no more than they can hold."""

import os
import re
import shutil
import stat
import zipfile
from pathlib import Path

# How DVC names the objects of its cache, which it may link its outputs to.
_OBJECT = re.compile(r".*/files/md5/[0-9a-f]{2}/[0-9a-f]{30}")

# What is unpacked may have so many times its bytes, where it is more than a little: weights pruned
# to zeros are packed twenty times smaller, bombs a thousand times.
_RATIO, _LITTLE = 50, 2**26
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
        if kind == stat.S_IFLNK and _OBJECT.fullmatch(os.path.realpath(path)):
            kind = stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _KINDS.get(kind)


def regular(path: Path) -> Path:
    """Return the path of a file, or of a link to one; to read a pipe may take for ever.

    Raises:
        OSError: nothing is there, or something else.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is no file")
    return path


def unsafe_below(folder: Path) -> str | None:
    """Name the first entry of a folder, of any depth, that `why_unsafe` names; None of none."""
    for path in sorted(folder.rglob("*")):  # which looks into no link
        if kind := why_unsafe(path):
            return f"{path.relative_to(folder).as_posix()!r}, {kind}"
    return None


def check_size(claimed: int, stored: int) -> None:
    """Refuse what unpacks to far more bytes than it is stored in.

    Raises:
        ValueError: it does.
    """
    if claimed > max(_LITTLE, _RATIO * stored):
        raise ValueError(f"it unpacks to {claimed:,} bytes and has {stored:,} of its own")


def check_archive(path: Path) -> None:
    """Refuse a zip whose files are far larger than itself; it reads no more of one than it says.

    Raises:
        ValueError: they are.
        OSError, zipfile.BadZipFile, …: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        check_size(sum(entry.file_size for entry in archive.infolist()), path.stat().st_size)


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
