"""Running the pipeline: DVC does it, kdtasks validates before and sums up after."""

import json
from pathlib import Path

import pytest

from kdtasks.commands.project import ProjectError
from kdtasks.commands.run import run_pipeline, summary
from kdtasks.errors import ParamsError


def test_nothing_to_do_then_a_change_then_a_report(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert run_pipeline(project) == 0
    assert "Stage 'prepare' didn't change, skipping" in capfd.readouterr().out
    (project / "source").write_text("new ", encoding="utf-8")
    (project / "report" / "selection.json").write_text('{"headline": "two points better"}')
    (project / "report" / "index.html").write_text("")
    assert run_pipeline(project) == 0
    output = capfd.readouterr().out
    assert "Running stage 'report'" in output
    assert output.endswith(f"two points better\nreport: {project / 'report' / 'index.html'}\n")
    assert (project / "a").read_text(encoding="utf-8") == "new "


def test_a_dry_run_runs_nothing(project: Path, capfd: pytest.CaptureFixture[str]):
    (project / "source").write_text("new", encoding="utf-8")
    assert run_pipeline(project, ["prepare"], dry_run=True) == 0
    assert "Running stage 'prepare'" in capfd.readouterr().out
    assert (project / "a").read_text(encoding="utf-8") == "source"


def test_a_failing_stage_gives_dvcs_exit_status(project: Path, capfd: pytest.CaptureFixture[str]):
    (project / "write.py").write_text("raise SystemExit('out of paper')", encoding="utf-8")
    (project / "report" / "index.html").write_text("")
    assert run_pipeline(project, ["prepare"]) == 255
    captured = capfd.readouterr()
    assert "out of paper" in captured.err
    assert "report:" not in captured.out


def test_params_are_validated_before_anything_runs(project: Path):
    (project / "params.yaml").write_text("recipe: x", encoding="utf-8")
    (project / "source").write_text("new", encoding="utf-8")
    with pytest.raises(ParamsError, match="seeds: missing"):
        run_pipeline(project)
    assert (project / "a").read_text(encoding="utf-8") == "source"


def test_prefect_takes_no_stages(project: Path):
    with pytest.raises(ProjectError, match="leave out the stages and --dry-run"):
        run_pipeline(project, ["prepare"], prefect=True)


def test_prefect_runs_the_projects_flow(project: Path, capfd: pytest.CaptureFixture[str]):
    (project / "flows").mkdir()
    (project / "flows" / "pipeline.py").write_text("import sys; print('flow', sys.argv[1:])")
    assert run_pipeline(project, force=True, prefect=True) == 0
    assert "flow ['--force']" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("statistics", "expected"), [(None, []), ({}, []), ({"headline": "better"}, ["better"])]
)
def test_summary_without_a_page(
    tmp_path: Path, statistics: dict[str, str] | None, expected: list[str]
):
    if statistics is not None:
        (tmp_path / "report").mkdir()
        (tmp_path / "report" / "selection.json").write_text(json.dumps(statistics))
    assert summary(tmp_path) == expected
