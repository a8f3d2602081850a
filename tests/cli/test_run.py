"""`kdtasks run`: params first, then what has changed, then where the report is."""

import json
from pathlib import Path

import pytest

from kdtasks.cli.run import run_pipeline
from kdtasks.core.errors import ParamsError, ProjectError
from kdtasks.orchestrate.runner.describe import summary
from kdtasks.orchestrate.runner.execute import LOGS, RunOptions

ALL = RunOptions()


def options(*stages: str, **others: object) -> RunOptions:
    return RunOptions(stages=stages, **others)  # type: ignore[arg-type]


def test_nothing_to_do_then_a_change_then_a_report(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert run_pipeline(project, ALL, prefect=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 stages, ")
    assert {line.split(", ")[0] for line in lines[1:-1]} == {
        "prepare: cached",
        "benchmark@x: cached",
        "benchmark@y: cached",
        "report: cached",
    }
    assert lines[-1].endswith(": 4 cached")

    (project / "source").write_text("new ", encoding="utf-8")
    (project / "report" / "selection.json").write_text('{"headline": "two points better"}')
    (project / "report" / "index.html").write_text("")
    assert run_pipeline(project, ALL, prefect=False) == 0
    output = capsys.readouterr().out
    assert "prepare: running\nprepare | > python write.py a source\n" in output
    assert output.endswith(
        f": 4 completed\ntwo points better\nreport: {project / 'report' / 'index.html'}\n"
    )
    assert (project / "a").read_text(encoding="utf-8") == "new "
    # no scheduler is asked where there is nothing to do, and no server of Prefect
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    assert run_pipeline(project, ALL, cluster="tcp://127.0.0.1:1") == 0
    with pytest.raises(ProjectError, match="--cluster and --prefect do not go together"):
        run_pipeline(project, ALL, cluster="local:2", prefect=True)


def test_a_dry_run_lists_every_stage_and_runs_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_pipeline(project, ALL, dry_run=True) == 0
    cached = "prepare: cached\nbenchmark@x: cached\nbenchmark@y: cached\nreport: cached\n"
    assert capsys.readouterr().out == cached

    assert run_pipeline(project, options("benchmark@x", force=True), dry_run=True) == 0
    assert capsys.readouterr().out == (
        "prepare: would run: --force\nbenchmark@x: would run: --force; it needs prepare\n"
    )

    (project / "t-x").unlink()
    lock = (project / "dvc.lock").read_bytes()
    assert run_pipeline(project, ALL, dry_run=True) == 0
    assert capsys.readouterr().out == cached.replace(
        "x: cached", "x: would run: its output t-x is missing"
    ).replace(
        "report: cached",
        "report: would run: t-x is missing; it needs benchmark@x",
    )
    assert not (project / "t-x").exists()
    assert (project / "dvc.lock").read_bytes() == lock


def test_stages_are_run_with_what_they_need(project: Path):
    (project / "source").write_text("new", encoding="utf-8")
    assert run_pipeline(project, options("benchmark@x"), prefect=False) == 0
    assert (project / "t-x").read_text(encoding="utf-8").startswith("new")
    assert (project / "t-y").read_text(encoding="utf-8").startswith("source")


def test_force_runs_unchanged_stages(project: Path, capsys: pytest.CaptureFixture[str]):
    assert run_pipeline(project, options("prepare", force=True), prefect=False) == 0
    assert capsys.readouterr().out.endswith(": 1 completed\n")


def test_the_other_engine_does_the_same(project: Path, capsys: pytest.CaptureFixture[str]):
    (project / "source").write_text("new", encoding="utf-8")
    assert run_pipeline(project, options("prepare", engine="cli"), prefect=False) == 0
    assert capsys.readouterr().out.endswith(": 1 completed\n")
    assert (project / "a").read_text(encoding="utf-8") == "new"


def test_a_failure_is_status_1_and_says_where_the_log_is(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    (project / "write.py").write_text("raise SystemExit('out of paper')", encoding="utf-8")
    (project / "report" / "index.html").write_text("")
    assert run_pipeline(project, ALL, prefect=False) == 1
    output = capsys.readouterr().out
    assert (
        "stage prepare ended with status 1; its last lines:\n"
        f"  out of paper\n  log: {LOGS / 'prepare.log'}\n"
    ) in output
    assert output.endswith(": 1 failed, 3 skipped\n")  # and no report
    assert "out of paper" in (project / LOGS / "prepare.log").read_text(encoding="utf-8")


def test_from_another_folder_the_log_has_its_whole_path(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (project / "write.py").write_text("raise SystemExit('out of paper')", encoding="utf-8")
    monkeypatch.chdir(project / "recipes")
    assert run_pipeline(project, options("prepare"), prefect=False) == 1
    assert f"log: {project / LOGS / 'prepare.log'}\n" in capsys.readouterr().out
    assert Path.cwd() == project / "recipes"


def test_params_are_validated_before_anything_runs(project: Path):
    (project / "params.yaml").write_text("recipe: x", encoding="utf-8")
    (project / "source").write_text("new", encoding="utf-8")
    with pytest.raises(ParamsError, match="seeds: missing"):
        run_pipeline(project, ALL, prefect=False)
    assert (project / "a").read_text(encoding="utf-8") == "source"


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_unknown_stage_names_the_nearest(project: Path, dry_run: bool):
    with pytest.raises(ProjectError, match=r"'prepar' not found.*did you mean 'prepare'\?"):
        run_pipeline(project, options("prepar"), dry_run=dry_run, prefect=False)


def test_a_folder_without_dvc(project: Path):
    (project / ".dvc").rename(project / "elsewhere")
    for dry_run in (False, True):
        with pytest.raises(ProjectError, match=r"no \.dvc; run `dvc init`"):
            run_pipeline(project, ALL, dry_run=dry_run, prefect=False)


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
