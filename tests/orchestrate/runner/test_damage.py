"""Files of DVC's cache that changed on the disk."""

import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kdtasks.cli.main import app
from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.project import DVC, run_captured
from kdtasks.orchestrate.runner.damage import DAY_SECONDS, find_damaged, repair
from kdtasks.orchestrate.runner.execute import RunOptions, execute

TEXTS = ("out/first", "out/left", "out/right", "out/last")


@pytest.fixture
def ran(diamond: Path, silent: Any) -> Path:
    execute(diamond, RunOptions(workers=1), silent)
    assert find_damaged(diamond) == []
    return diamond


def flip(path: Path) -> None:
    """Change one bit where the file lies; its time and size stay."""
    times = path.stat()
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(data)
    path.chmod(times.st_mode)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def texts(project: Path) -> list[str]:
    return [(project / name / "text").read_text(encoding="utf-8") for name in TEXTS]


def objects(project: Path) -> list[Path]:
    return sorted(path for path in (project / ".dvc/cache/files/md5").rglob("*") if path.is_file())


def damage(project: Path, path: str) -> None:
    """Flip a bit in the workspace, and in the cache where that has its own copy."""
    whole = (project / path).read_bytes()
    (cached,) = (each for each in objects(project) if each.read_bytes() == whole)
    flip(cached)
    if (project / path).read_bytes() == whole:
        flip(project / path)


def test_a_flipped_bit_is_found_and_named(ran: Path):
    damage(ran, "out/left/text")
    assert run_captured(ran, *DVC, "status", "--json").stdout.strip() == "{}"  # DVC sees nothing
    (found,) = find_damaged(ran)
    assert (found.stage, found.path) == ("left", Path("out/left/text"))


def test_a_run_of_another_day_refuses_it_and_one_of_the_same_day_does_not_look(
    ran: Path, silent: Any
):
    damage(ran, "out/left/text")
    execute(ran, RunOptions(), silent)
    stamp = ran / ".dvc/tmp/kdtasks-cache-checked"
    before = stamp.stat().st_mtime - DAY_SECONDS
    os.utime(stamp, (before, before))
    with pytest.raises(
        ProjectError, match=r"1 cached files .* out/left/text of left; `kdtasks ver"
    ):
        execute(ran, RunOptions(), silent)


@pytest.mark.parametrize("kept", ["workspace", "remote", "nowhere"])
def test_what_is_whole_elsewhere_comes_back(
    ran: Path, silent: Any, kept: str, tmp_path_factory: pytest.TempPathFactory
):
    expected = texts(ran)
    if kept == "remote":
        remote = str(tmp_path_factory.mktemp("remote"))
        run_captured(ran, *DVC, "remote", "add", "-d", "far", remote)
        assert run_captured(ran, *DVC, "push").returncode == 0
    if kept == "workspace":
        assert run_captured(ran, *DVC, "unprotect", "out/left").returncode == 0
        for each in objects(ran):
            if each.read_bytes() == (ran / "out/left/text").read_bytes():
                flip(each)
    else:
        damage(ran, "out/left/text")
    lost = repair(ran, find_damaged(ran))
    assert [each.stage for each in lost] == (["left"] if kept == "nowhere" else [])
    assert find_damaged(ran) == []
    execute(ran, RunOptions(workers=1), silent)
    assert texts(ran) == expected
    assert find_damaged(ran) == []


def test_the_command_tells_what_it_found(ran: Path, monkeypatch: pytest.MonkeyPatch):
    damage(ran, "out/first/text")
    monkeypatch.chdir(ran)
    result = CliRunner().invoke(app, ["verify", "--cache"])
    assert result.exit_code == 1
    assert "out/first/text of first: lost: `kdtasks run` makes it anew" in result.stdout
    assert result.stdout.endswith("1 damaged, 0 repaired\n")


def test_a_damaged_list_of_files_is_found(ran: Path):
    listing = next(each for each in objects(ran) if each.suffix == ".dir")
    flip(listing)
    assert [found.cached for found in find_damaged(ran)] == [listing]
