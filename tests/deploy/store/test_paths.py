"""No manifest may write outside its folder, or one file over another."""

import os
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.deploy.store.address import problem_of_path, problem_of_paths


@pytest.mark.parametrize(
    "path", ["model.tflite", "a/b/c.txt", ".hidden", "naïve.txt", "a b", "x" * 200]
)
def test_allowed_paths(path: str):
    assert problem_of_path(path) is None


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/etc/passwd", "absolute"),
        ("../up", "part '..'"),
        ("a/../../up", "part '..'"),
        ("a/./b", "part '.'"),
        ("a//b", "part ''"),
        ("a/", "part ''"),
        ("..\\up", "backslash"),
        ("C:/windows", "colon"),
        ("C:evil", "colon"),
        ("file.txt:stream", "colon"),
        ("a\nb", "character that some systems forbid"),
        ("a\x00b", "character that some systems forbid"),
        ("a\u202eb", "character that some systems forbid"),
        ("\ud800", "character that some systems forbid"),
        ("trailing.", "Windows"),
        ("trailing ", "Windows"),
        ("NUL", "Windows"),
        ("a/com1.txt", "Windows"),
        ("x" * 201, "longer than 200"),
        (".kdtasks-version.json", "kept for what a pull writes"),
        (".KDTASKS-version.json", "kept for what a pull writes"),
        ("", "no text"),
        (None, "no text"),
        (7, "no text"),
    ],
)
def test_refused_paths(path: object, problem: str):
    found = problem_of_path(path)
    assert found is not None
    assert problem in found


@pytest.mark.parametrize(
    "paths",
    [
        ["a", "a"],
        ["Model.tflite", "model.tflite"],
        ["caf\u00e9", "cafe\u0301"],
        ["a", "a/b"],
        ["a/b/c", "A/B"],
    ],
)
def test_paths_that_exclude_each_other(paths: list[str]):
    assert problem_of_paths(paths) is not None


def test_paths_that_go_together():
    assert problem_of_paths(["a/b", "a/c", "ab", "b"]) is None


PARTS = st.one_of(st.text(max_size=6), st.sampled_from(["..", ".", "", "C:", "\\", "a", "CON"]))


@given(st.lists(PARTS, min_size=1, max_size=4).map("/".join))
def test_whatever_is_allowed_stays_inside(path: str):
    if problem_of_path(path) is not None:
        return
    inside = os.path.normpath(f"/folder/{path}")
    assert inside == f"/folder/{path}"
    assert not PurePosixPath(path).is_absolute()
    windows = PureWindowsPath(path)
    assert not windows.is_absolute()
    assert not windows.drive
    assert len(windows.parts) == len(PurePosixPath(path).parts)
