"""`kdtasks serve`, `agent` and `fleet`: what is said before anything runs, and a fleet in short."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdtasks.cli.main import app
from kdtasks.core.errors import (
    BundleError,
    DatasetError,
    StoreError,
    StoreMissingError,
)
from tests.tools.light_bundles import DARK


def refused(*words: str) -> Exception:
    result = CliRunner().invoke(app, list(words))
    assert isinstance(result.exception, Exception)
    return result.exception


def test_without_the_extra_it_is_named(tmp_path: Path):
    code = (
        "import sys\nsys.modules['uvicorn'] = None\n"
        "sys.argv = ['kdtasks', 'serve', 'nothing']\nfrom kdtasks.cli.main import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "error: module uvicorn is missing; this command needs pip install 'kdtasks[serve]'",
    )
    assert "Traceback" not in done.stderr


def test_what_cannot_be_served(tmp_path: Path):
    error = refused("serve", str(tmp_path))
    assert isinstance(error, BundleError)
    assert "is no bundle, it has no manifest.json" in str(error)


def test_a_name_that_is_none(store, tmp_path: Path):
    words = ["--store", str(store.root), "--state", str(tmp_path / "state"), "--port", "0"]
    error = refused("agent", "--model", "light", "--device", "No Name", *words)
    assert isinstance(error, StoreError)
    assert "'No Name' is no name of a device" in str(error)
    error = refused("agent", "--model", "light", "--device", "d", *words)
    assert isinstance(error, StoreMissingError)


def test_images_that_are_not_there(store, tmp_path: Path):
    words = ["--store", str(store.root), "--images", str(tmp_path / "gone.png")]
    error = refused("fleet", "--model", "light", *words)
    assert isinstance(error, DatasetError)
    assert "gone.png: not found; give files, folders or patterns" in str(error)


@pytest.mark.parametrize("seconds", ["0", "0.5"])
def test_a_fleet_in_short(store, release, tmp_path: Path, seconds: str):
    release()
    (tmp_path / "a.png").write_bytes(DARK)
    words = ["--devices", "2", "--seconds", seconds, "--folder", str(tmp_path / "fleet")]
    words += ["--store", str(store.root), "--images", str(tmp_path / "a.png")]
    result = CliRunner().invoke(app, ["fleet", "--model", "light", *words])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line.split()[0] for line in lines] == ["device", "device-1", "device-2", "all"]
