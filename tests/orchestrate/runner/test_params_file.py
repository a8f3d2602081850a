"""What DVC is given of a params file."""

import os
from pathlib import Path
from typing import Any

import dvc.dependency.param
import pytest
from dvc.dependency.param import read_param_file
from dvc.exceptions import DvcException
from dvc.fs import LocalFileSystem
from dvc.utils.serialize import load_path

from kdtasks.orchestrate.runner import params_file
from kdtasks.orchestrate.runner.params_file import parse_once


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are parsed."""
    paths: list[str] = []

    def load(path: str, fs: Any) -> Any:
        paths.append(path)
        return load_path(path, fs)

    monkeypatch.setattr(params_file, "load_path", load)
    monkeypatch.setattr(dvc.dependency.param, "load_path", load_path)  # to be put back
    parse_once()
    return paths


def test_a_version_is_parsed_once_and_each_reader_has_its_own(tmp_path: Path, parsed: list[str]):
    path = tmp_path / "params.yaml"
    path.write_text("a: {b: [1, 2]}\n", encoding="utf-8")
    read = read_param_file(LocalFileSystem(), str(path), ["a.b"], flatten=True)
    read["a.b"].append(3)
    assert read_param_file(LocalFileSystem(), str(path)) == {"a": {"b": [1, 2]}}
    assert parsed == [str(path)]
    path.write_text("a: {b: [1, 4]}\n", encoding="utf-8")
    os.utime(path, ns=(0, 0))  # as another moment
    assert read_param_file(LocalFileSystem(), str(path)) == {"a": {"b": [1, 4]}}
    assert len(parsed) == 2


def test_a_file_that_is_missing_or_damaged_is_told_of_as_by_dvc(tmp_path: Path, parsed: list[str]):
    path = tmp_path / "params.yaml"
    with pytest.raises(FileNotFoundError):
        read_param_file(LocalFileSystem(), str(path))
    path.write_text("a: {", encoding="utf-8")
    with pytest.raises(DvcException, match="unable to read"):
        read_param_file(LocalFileSystem(), str(path))
