"""A project of one's own is held to the installed code that its results are filed under."""

from pathlib import Path

import pytest

from kdtasks.core import installed
from kdtasks.core.errors import ProjectError
from kdtasks.core.installed import (
    hash_lines,
    package_hashes,
    package_line,
    read_hashes,
    refuse_other_code,
)

ONE = "kdtasks/core/files.py"


def write(root: Path, text: str) -> None:
    (root / "code").mkdir()
    (root / "code" / "installed").write_text(text, encoding="utf-8")


def test_every_file_of_the_package_has_a_hash():
    names = set(package_hashes())
    assert {ONE, "kdtasks/report/template.html", "kdtasks/__init__.py"} <= names
    assert not [name for name in names if "__pycache__" in name or "/template/" in name]


def test_hashes_are_read_as_they_were_written(tmp_path: Path):
    hashes = {"kdtasks/a b.py": "12", "kdtasks/c.py": "34"}
    (tmp_path / "file").write_text(hash_lines(hashes), encoding="utf-8")
    assert read_hashes(tmp_path / "file") == hashes
    assert read_hashes(tmp_path / "missing") == {}


def test_a_project_without_a_record_is_a_clone(tmp_path: Path):
    refuse_other_code(tmp_path)


def test_the_same_code_runs(tmp_path: Path):
    write(tmp_path, package_line())
    refuse_other_code(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kdtasks 0.0.1 12\n", r"filed under kdtasks 0\.0\.1, and kdtasks .* is installed"),
        ("", "filed under another kdtasks, and kdtasks"),
        (f"{package_line()[:-3]}\n", "its code has changed; run `kdtasks upgrade`"),
    ],
)
def test_other_code_is_refused(text: str, message: str, tmp_path: Path):
    write(tmp_path, text)
    with pytest.raises(ProjectError, match=message):
        refuse_other_code(tmp_path)


def test_an_edit_of_the_package_is_another_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, package_line())
    changed = {**package_hashes(), ONE: "12"}
    monkeypatch.setattr(installed, "package_hashes", lambda: changed)
    with pytest.raises(ProjectError, match="its code has changed"):
        refuse_other_code(tmp_path)
