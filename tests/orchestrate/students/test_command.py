"""The whole command: students are weighed, trained, and the front said."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdtasks.cli.main import app
from kdtasks.core.errors import SweepError
from kdtasks.core.files import read_json
from kdtasks.params.load import load_params
from kdtasks.params.write import render_params
from tests.orchestrate.students.conftest import with_space

WORDS = ("search", "--space", "student")


@pytest.fixture
def project(made_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """After `targets`, with two students to try; also the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(made_project, folder)
    (folder / "dvc.yaml").touch()
    params = with_space(load_params(folder / "params.yaml"), widths=[1.0, 64.0], depths=[0])
    (folder / "params.yaml").write_text(render_params(params), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr("kdtasks.cli.students.run_pipeline", lambda *given: 0)  # all is there
    return folder


@pytest.mark.slow
def test_students_are_weighed_trained_and_chosen(project: Path):
    result = CliRunner().invoke(app, [*WORDS, "--dry-run"])
    assert result.output.splitlines() == ["width 1, depth 0", "width 64, depth 0"]

    result = CliRunner().invoke(app, [*WORDS, "--max-size-kb", "30"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "1 of 2 students within the limits" in result.output
    found = read_json(project / "report/search/search.json")
    assert "is over 30.0" in found["left_out"]["width 64, depth 0"]
    (trial,), (point,) = found["trials"], found["front"]
    assert trial["score"] > 0.1  # of ten classes
    assert list(point["by_seed"]) == ["1", "2"]
    assert found["winner"] == trial["label"] == point["label"]

    with pytest.raises(SweepError, match=r"none of 2 students is within the limits; width 1"):
        CliRunner().invoke(app, [*WORDS, "--max-size-kb", "1"], catch_exceptions=False)


def test_variants_have_no_arena(project: Path):
    result = CliRunner().invoke(app, ["search", "--space", "compress", "--max-arena-kb", "20"])
    assert "max_arena_kb is 20, space compress; only students" in str(result.exception)
