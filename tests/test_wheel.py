"""The wheel carries all that a project needs; it is built offline, as `python -m build` does."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("stages", "flows", "recipes", "extensions", "examples/extensions")
FILES = (
    *("dvc.yaml", "prefect.yaml", ".gitattributes", ".gitignore", ".dvcignore", ".dvc/config"),
    "docs/parameters.md",
)
CODE = ("kdtasks/stage.py", "kdtasks/report/template.html", "kdtasks/orchestrate/create/images.py")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of what git knows, and of what is not yet in it."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.split("\0"):
        source = ROOT / name
        if name and source.is_file() and not name.startswith(("results/", "tests/", "benchmarks/")):
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes(source.read_bytes())
    build = "from setuptools import build_meta; build_meta.build_wheel('../dist')"
    done = subprocess.run(
        [sys.executable, "-c", build],
        cwd=folder / "source",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (built,) = (folder / "dist").glob("kdtasks-*-py3-none-any.whl")
    return zipfile.ZipFile(built)


def test_what_a_project_is_begun_with_is_there_once_and_as_it_is(wheel: zipfile.ZipFile):
    names = set(wheel.namelist())
    wanted = [*FILES, *(path for folder in FOLDERS for path in _files(folder))]
    for name in wanted:
        assert wheel.read(f"kdtasks/template/{name}") == (ROOT / name).read_bytes(), name
    assert set(CODE) <= names
    extra = {name.removeprefix("kdtasks/template/") for name in names if "/template/" in name}
    assert extra == {*wanted, "setup.py"}  # setuptools takes the folder's modules along


def test_nothing_else_is_installed(wheel: zipfile.ZipFile):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"kdtasks"}


def test_it_says_what_it_needs(wheel: zipfile.ZipFile):
    (name,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    text = wheel.read(name).decode()
    assert "Requires-Python: >=3.11\n" in text
    assert "Requires-Dist: pillow>=11.3\n" in text
    for name in ("tensorflow", "tf-keras"):  # there are none for later Pythons
        (line,) = (
            line
            for line in text.splitlines()
            if line.startswith(f"Requires-Dist: {name}<") and 'extra == "pipeline"' in line
        )
        assert 'python_version < "3.14"' in line


def _files(folder: str) -> list[str]:
    return [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / folder).iterdir())
        if path.suffix in (".py", ".yaml")
    ]
