import os
import socket
from pathlib import Path

import pytest

from kdtasks.core.safe_files import copy_files, regular, unsafe_below, why_unsafe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "it/inside").mkdir(parents=True)
    (tmp_path / "it/inside/file").write_bytes(b"content")
    return tmp_path / "it"


def test_files_and_folders_are_copied(folder: Path, tmp_path: Path) -> None:
    assert unsafe_below(folder) is None
    copy_files(folder, tmp_path / "copy")
    assert (tmp_path / "copy/inside/file").read_bytes() == b"content"
    assert why_unsafe(tmp_path / "none") is None


@pytest.mark.parametrize(
    "kind", ["link", "link to a folder", "dead link", "loop", "pipe", "socket"]
)
def test_anything_else_is_refused_unopened(folder: Path, tmp_path: Path, kind: str) -> None:
    private, place = tmp_path / "id_ed25519", folder / "inside/weights"
    private.write_bytes(b"secret")
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(place))
    else:
        targets = {"link": private, "link to a folder": tmp_path, "dead link": tmp_path / "none"}
        targets["loop"] = place
        place.symlink_to(targets[kind])
    word = kind if kind in ("pipe", "socket") else "link"
    assert unsafe_below(folder) == f"'inside/weights', a {word}"
    with pytest.raises(OSError, match=f"weights is a {word}"):
        copy_files(folder, tmp_path / "copy")
    if kind != "link":  # a file is what it leads to
        with pytest.raises(OSError, match=r"no file|No such|symbolic links"):
            regular(place)
    assert "secret" not in [path.read_text() for path in tmp_path.glob("copy/**/w*")]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
def test_a_device_is_named() -> None:
    assert why_unsafe(Path("/dev/zero").resolve()) == "a device"


def test_links_into_the_cache_of_dvc_are_files(folder: Path, tmp_path: Path) -> None:
    cached = tmp_path / "cache/files/md5/0a" / ("b" * 30)
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"linked")
    (folder / "linked").symlink_to(cached)
    assert unsafe_below(folder) is None
    copy_files(folder, tmp_path / "copy")
    assert (tmp_path / "copy/linked").read_bytes() == b"linked"
    assert not (tmp_path / "copy/linked").is_symlink()
    cached.unlink()
    os.mkfifo(cached)
    assert unsafe_below(folder) == "'linked', a pipe"
