"""The command: what it prints, what it writes, how it ends."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kdtasks.cli.main import app
from kdtasks.cli.sweep import run_sweep
from kdtasks.core.errors import KdTasksError, ParamsError
from kdtasks.orchestrate.sweep.plan import SweepOptions

pytestmark = pytest.mark.usefixtures("warm_commands")

OPTIONS = SweepOptions(("distill.alpha=0.1,0.9",), seeds=3)


@pytest.fixture
def project(committed_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of this test's own; also the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(committed_project, folder, symlinks=True)
    for name in ("TRACE", "BREAK", "HOLD"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
def test_a_sweep_from_the_command_to_its_page(
    project: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    Path(os.environ["BREAK"]).touch()
    out = tmp_path / "out"
    assert run_sweep(project, OPTIONS, out=out) == 1
    output = capfd.readouterr().out.replace("\u00a0", " ")
    summary = json.loads((out / "sweep.json").read_text(encoding="utf-8"))
    assert [("gain" in point) for point in summary["points"]] == [True, False]
    assert summary["points"][1]["failed"].endswith("status 1: the loss is not a number")
    assert re.search(r"alpha=0\.1 +90\.1 % +90\.1 % +92\.1 % +\+2\.0 +\+1\.9 to \+2\.1", output)
    assert "Of 2 points with 3 seeds each, distillation helps at 1, 1 failed." in output
    assert output.splitlines()[-1] == f"sweep: {out}/index.html"
    assert "alpha=0.9" in (out / "index.html").read_text(encoding="utf-8")

    Path(os.environ["BREAK"]).unlink()
    assert run_sweep(project, OPTIONS) == 0
    output = capfd.readouterr().out.replace("\u00a0", " ")
    assert "2 points of 3 seeds each: 1 done already, 1 to run" in output
    assert "distillation helps at 1 and hurts at 1. Best on validation: alpha=0.9" in output
    (page,) = (project / "report").glob("sweep-*/index.html")
    assert output.splitlines()[-1] == f"sweep: {page}"
    before = page.read_bytes()
    assert run_sweep(project, OPTIONS) == 0  # nothing is left to run, so nothing changes
    assert page.read_bytes() == before
    assert "2 done already, nothing to run" in capfd.readouterr().out


def test_a_dry_run_only_says_what_would_run(project: Path, capsys: pytest.CaptureFixture[str]):
    assert run_sweep(project, OPTIONS, dry_run=True) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("2 points of 3 seeds each: 0 done already, 2 to run")
    assert lines == [
        "shared by all points: would run once, prepare, labels, teacher, student@0, student@1, "
        "student@2",
        "alpha=0.1: would run",
        "alpha=0.9: would run",
    ]
    assert not Path(os.environ["TRACE"]).exists()
    assert not (project / "report").exists()


def test_a_bad_value_stops_before_anything_runs(project: Path):
    with pytest.raises(ParamsError, match=r"point alpha=1.5: distill.alpha: got 1.5"):
        run_sweep(project, SweepOptions(("distill.alpha=0.1,1.5",), seeds=2))
    assert not Path(os.environ["TRACE"]).exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-S", "distill.alpah=1"], "did you mean 'alpha'"),
        (["-S", "distill.alpha=1", "--seeds", "0"], "--seeds is 0"),
        (["-S", "distill.alpha=1", "--stage", "repot"], "'repot' not found"),
        (["--set-param", "seeds=1"], "--seeds 5 gives every point"),
    ],
)
def test_the_command_line_hands_everything_on(project: Path, words: list[str], message: str):
    result = CliRunner().invoke(app, ["sweep", *words])
    assert isinstance(result.exception, KdTasksError)
    assert message in str(result.exception)


def test_a_sweep_needs_a_setting(project: Path):
    assert CliRunner().invoke(app, ["sweep"]).exit_code == 2


def test_a_dry_run_from_the_command_line(project: Path, monkeypatch: pytest.MonkeyPatch):
    """Also from a folder below the project's."""
    monkeypatch.chdir(project / "data")
    result = CliRunner().invoke(app, ["sweep", "-S", "distill.alpha=0.1,0.5", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "2 points of 3 seeds each" in result.output


@pytest.mark.slow
def test_points_run_from_a_folder_below(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(project / "data")
    assert run_sweep(project, SweepOptions(("distill.alpha=0.1",), seeds=1)) == 0
    assert "One seed" in next((project / "report").glob("sweep-*/index.html")).read_text("utf-8")
    assert f"sweep: {project}/report" in capfd.readouterr().out


def test_an_interruption_says_how_to_go_on(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kdtasks.cli.sweep.execute", interrupted)
    with pytest.raises(typer.Exit) as ended:
        run_sweep(project, OPTIONS)
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err.splitlines() == [
        "interrupted; finished points are kept: kdtasks sweep -S distill.alpha=0.1,0.9 --seeds 3"
    ]
