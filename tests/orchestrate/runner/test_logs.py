"""Logs of the stages' output: one file a stage, of its last run."""

from pathlib import Path

import pytest

from kdtasks.orchestrate.runner.files import log_path, stage_log


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("prepare", "prepare.log"),
        ("compress@magnitude+int8", "compress@magnitude+int8.log"),
        ("other/dvc.yaml:train@a/b", "other_dvc.yaml_train@a_b.log"),
    ],
)
def test_every_stage_has_a_file(tmp_path: Path, name: str, file: str):
    assert log_path(tmp_path, name) == tmp_path / file


def test_a_run_with_output_begins_the_log_anew(tmp_path: Path):
    folder = tmp_path / "not" / "there"
    with stage_log(folder, "a") as write:
        write("one")
        write("zwei ü")
        # at once, for those who follow it
        assert log_path(folder, "a").read_text(encoding="utf-8") == "one\nzwei ü\n"
    with stage_log(folder, "a") as write:
        write("three")
    assert log_path(folder, "a").read_text(encoding="utf-8") == "three\n"


def test_a_run_without_output_keeps_the_last_log(tmp_path: Path):
    with stage_log(tmp_path, "a") as write:
        write("one")
    with stage_log(tmp_path, "a"):
        pass
    assert log_path(tmp_path, "a").read_text(encoding="utf-8") == "one\n"
