"""The whole command over a tiny project: three networks weighed, trained, the front said."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdtasks.cli.main import app
from kdtasks.core.errors import SweepError
from kdtasks.core.files import read_json
from kdtasks.params.load import load_params
from kdtasks.params.write import render_params
from tests.orchestrate.students.conftest import with_space
from tests.tools.tuning import make_project, tiny_params

WORDS = ("search", "--space", "student")


def write_space(project: Path, **space: object) -> None:
    params = with_space(load_params(project / "params.yaml"), **space)
    (project / "params.yaml").write_text(render_params(params), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params alone."""
    (tmp_path / "models/start").mkdir(parents=True)
    for watched in ("data/raw", "data/raw-unlabelled", "models/import"):
        (tmp_path / watched).mkdir(parents=True)
    (tmp_path / "params.yaml").write_text(render_params(tiny_params()), encoding="utf-8")
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_dry_run_lists_students(project: Path):
    write_space(project, widths=[1.0, 0.5], depths=[0])
    result = CliRunner().invoke(app, [*WORDS, "--dry-run"])
    assert result.output.splitlines() == ["width 1, depth 0", "width 0.5, depth 0"], result.output


def test_variants_have_no_arena(project: Path):
    result = CliRunner().invoke(app, ["search", "--max-arena-kb", "20"])
    assert "max_arena_kb is 20, space compress; only students" in str(result.exception)


@pytest.mark.slow
def test_students_are_weighed_trained_and_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    project = tmp_path / "project"
    make_project(project)
    (project / "dvc.yaml").touch()
    write_space(project, widths=[0.5, 1.0, 64.0], depths=[0])
    monkeypatch.chdir(project)
    monkeypatch.setattr("kdtasks.cli.students.run_pipeline", lambda *given: 0)  # all is there
    result = CliRunner().invoke(app, [*WORDS, "--max-size-kb", "30"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = read_json(project / "report/search/search.json")
    assert list(found["left_out"]) == ["width 64, depth 0"]
    assert "is over 30.0" in found["left_out"]["width 64, depth 0"]
    tried = {trial["label"]: trial for trial in found["trials"]}
    assert set(tried) == {"width 0.5, depth 0", "width 1, depth 0"}
    small, own = tried["width 0.5, depth 0"], tried["width 1, depth 0"]
    assert small["bytes"] < own["bytes"]
    assert (small["third"], own["third"]) == ("small", "medium")
    assert found["winner"] in tried
    for point in found["front"]:
        assert list(point["by_seed"]) == ["1", "2"]
    assert "2 of 3 students within the limits" in result.output

    with pytest.raises(SweepError, match=r"none of 3 students is within the limits; width 1"):
        CliRunner().invoke(app, [*WORDS, "--max-size-kb", "1"], catch_exceptions=False)
