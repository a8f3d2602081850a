"""What files and folders look like without reading them: enough to say that nothing has changed.

Every file counts with its inode, size, time of modification and time of change. The last cannot be
set by a program, so a file that was written to and given its old time back has changed.
"""

import hashlib
import os
import stat
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

# Clocks of file systems tick every few milliseconds: what is younger might change within a tick.
TICK_NS = 20_000_000
CODE_CACHE = "__pycache__"
PLANS = (".dvc", ".dvcignore", "dvc.yaml")  # endings of the files by which DVC finds its stages

Stamp = tuple[str, tuple[int, ...] | None]


class Watched(NamedTuple):
    """What a run depends on.

    Attributes:
        paths: files and folders, with all that is in them; those that are missing count as such.
        code: folders of code, without what Python keeps of it.
        folders: folders in which a new file of DVC would count.
    """

    paths: tuple[str, ...]
    code: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


class Snapshot(NamedTuple):
    """What was seen at one moment."""

    digest: str
    begun_ns: int
    newest_ns: int  # when the last of the files changed

    @property
    def is_settled(self) -> bool:
        """Whether a change from here on is sure to look like one."""
        return self.newest_ns < self.begun_ns - TICK_NS


def take_snapshot(watched: Watched) -> Snapshot:
    """Look at everything once."""
    seen, newest, begun = hashlib.blake2b(digest_size=16), 0, time.time_ns()
    for path, facts in stamps(watched):
        seen.update(f"{path}\0{facts}\n".encode("utf-8", "surrogateescape"))
        newest = max(newest, facts[-1] if facts else 0)
    return Snapshot(seen.hexdigest(), begun, newest)


def backdated(watched: Watched, since_ns: int) -> Iterator[str]:
    """Files that changed after a moment and claim to be older, which DVC would believe."""
    for path, facts in stamps(watched):
        if facts and len(facts) > 1 and facts[-2] <= since_ns < facts[-1]:
            yield path


def stamps(watched: Watched) -> Iterator[Stamp]:
    """Path by path, what it looks like; None where there is nothing."""
    for path in watched.paths:
        yield from _stamps(path)
    for folder in watched.code:
        yield from _inside(folder, skipped=(CODE_CACHE,))
    for folder in watched.folders:
        if Path(folder).is_dir():
            yield from _inside(folder, only=PLANS)


def _stamps(path: str) -> Iterator[Stamp]:
    facts = _facts(path)
    yield path, facts
    if facts and stat.S_ISDIR(facts[0]):
        yield from _inside(path)


def _facts(path: str) -> tuple[int, ...] | None:
    """Of a link, what it leads to."""
    try:
        return _of(Path(path).stat())
    except OSError:
        return None


def _of(status: os.stat_result) -> tuple[int, ...]:
    if stat.S_ISDIR(status.st_mode):  # what is in it is looked at as well
        return status.st_mode, status.st_dev, status.st_ino, 0
    return (
        status.st_mode,
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _inside(
    folder: str, *, skipped: Collection[str] = (), only: tuple[str, ...] = ()
) -> Iterator[Stamp]:
    """All that is in a folder; of links there what they lead to as well, but not what is in that.

    Args:
        skipped: names of folders.
        only: endings; folders are not gone into then.
    """
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name in skipped or (only and not entry.name.endswith(only)):
            continue
        is_folder = entry.is_dir(follow_symlinks=False)
        if only and is_folder:
            continue
        yield entry.path, _of(entry.stat(follow_symlinks=False))
        if entry.is_symlink():
            yield f"{entry.path}/", _facts(entry.path)
        elif is_folder:
            yield from _inside(entry.path, skipped=skipped)
