"""The command: what it runs before the trials, what it shows, how it goes on."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdtasks.cli.main import app
from kdtasks.core.errors import TuneError
from kdtasks.core.text import SPACE
from kdtasks.orchestrate.runner.execute import RunOptions
from kdtasks.params import load_params
from tests.tools.tuning import make_project


@pytest.fixture(scope="module")
def made_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "project"
    make_project(folder)
    return folder


@pytest.fixture
def project(made_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of this test's own, whose stages have run; also the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(made_project, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("kdtasks.cli.pipeline.find_project", lambda: folder)
    return folder


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The stages that were asked for; nothing is run, all are done."""
    asked: list[tuple[str, ...]] = []

    def run_pipeline(project: Path, options: RunOptions) -> int:
        asked.append(options.stages)
        return 0

    monkeypatch.setattr("kdtasks.cli.tune.run_pipeline", run_pipeline)
    return asked


def test_trials_are_shown_then_the_best_and_what_to_run_next(
    project: Path, ran: list[tuple[str, ...]]
):
    words = ["tune", "--trials", "1", "-S", "distill.loss=dist", "-S", "student.epochs=3"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert ran == [("targets", "labels")]
    text = result.output.replace(SPACE, " ")
    lines = text.splitlines()
    assert lines[0].startswith("alone 1/1: ")
    assert lines[0].endswith("; learning_rate=0.01, epochs=3")
    assert lines[1].startswith("distilled 1/1: ")
    assert "loss=dist" in lines[1]
    assert lines[2].split() == ["student", "validation", "trial", "settings"]
    assert "1 of 1" in lines[3]
    assert "best validation accuracy of 1 trial each, all with seed 3;" in text
    assert "it is no verdict" in text
    assert "moves seeds from [3, 4] to [0, 4], with which none tuned" in text
    again = CliRunner().invoke(app, words).output.replace(SPACE, " ").splitlines()
    assert again == lines[2:]  # no trial is run twice

    applied = CliRunner().invoke(app, ["tune", "--apply"])
    assert "student.epochs: null → 3" in applied.output
    assert "next: kdtasks run" in applied.output
    params = load_params(project / "params.yaml")
    assert (params.seeds, params.tune.seeds, params.tune.trials) == ((0, 4), (3,), 1)
    twice = CliRunner().invoke(app, ["tune", "--apply"])
    assert twice.output == "params.yaml holds what was found already\n"


def test_without_labels_there_is_nothing_to_tune_alone(project: Path, ran: list[tuple[str, ...]]):
    path = project / "params.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("train_labels: 120", "train_labels: 0"), encoding="utf-8")
    result = CliRunner().invoke(app, ["tune"])
    assert isinstance(result.exception, TuneError) or result.exit_code == 1
    told = f"{result.output}{result.exception}"
    assert "gives both students as many trials; give data.train_labels a number" in told
    assert ran == []


def test_a_stage_that_fails_ends_it(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kdtasks.cli.tune.run_pipeline", lambda *given: 1)
    assert CliRunner().invoke(app, ["tune"]).exit_code == 1
    assert not (project / ".kdtasks" / "tune").exists()


def test_a_key_that_is_not_tuned_is_refused_before_anything_runs(
    project: Path, ran: list[tuple[str, ...]]
):
    with pytest.raises(TuneError, match=r"data\.channels is not tuned"):
        CliRunner().invoke(app, ["tune", "-S", "data.channels=1,3"], catch_exceptions=False)
    assert ran == []


@pytest.mark.usefixtures("ran")
def test_ctrl_c_says_how_it_goes_on(project: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*given: object, **more: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("kdtasks.cli.tune.run_trials", interrupt)
    result = CliRunner().invoke(app, ["tune"])
    assert result.exit_code == 130
    assert "interrupted; finished trials are kept: the same command resumes" in result.stderr
