import errno
from pathlib import Path

import pytest

from kdtasks.core.errors import StoreError
from kdtasks.core.files import disk_errors, partial_beside, write_whole


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full; make room and run the same command again"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "x may not be written or read .*; change its owner"),
        (errno.EACCES, "x may not be written or read"),
        (errno.ENAMETOOLONG, "x has a name that is too long for this disk; shorten it"),
        (errno.EMFILE, r"too many files are open; raise the limit \(`ulimit -n 4096`\)"),
        (errno.ENOENT, "x does not exist; what writes it comes first, or the path is wrong"),
        (errno.EIO, "writing the cache in .* failed: x: Input/output error"),
    ],
)
def test_errors_say_what_to_do(tmp_path: Path, number: int, message: str):
    with pytest.raises(StoreError, match=message), disk_errors("writing the cache", tmp_path):
        raise OSError(number, "Input/output error", "x")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "folder" / "file"
    write_whole(path, b"one")

    def write_half() -> None:
        with partial_beside(path) as partial:
            partial.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_bytes() == b"one"
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [found.name for found in path.parent.iterdir()] == ["file"]
