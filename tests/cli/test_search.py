"""The command: what it takes, what it refuses."""

import os
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from kdtasks.cli.main import app
from kdtasks.core.errors import KdTasksError


@pytest.fixture
def project(committed_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of this test's own; also the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(committed_project, folder, symlinks=True)
    monkeypatch.setenv("TRACE", str(tmp_path / "TRACE"))
    monkeypatch.chdir(folder)
    return folder


def test_a_dry_run_only_says_what_would_be_tried(project: Path):
    result = CliRunner().invoke(app, ["search", "--max-macs", "0.5", "--minutes", "3", "--dry-run"])
    assert result.exit_code == 0, result.output
    lines = result.output.replace("\u00a0", " ").splitlines()
    assert lines[0] == (
        "looking for at most 50.0 % of the compute, 1.0 points lost, in 3 minutes: "
        "up to 8 trials, 0 done already"
    )
    assert lines[1].startswith("float32: would be tried, experiment search-float32-")
    assert not Path(os.environ["TRACE"]).exists()
    assert not (project / "report").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no limit that the float32 student does not keep: .* as --max-size-kb 20"),
        (["--max-size-kb", "-1"], r"search\.max_size_kb: got -1.0; allowed: "),
        (["--max-macs", "1"], r"search\.max_macs: got 1.0"),
    ],
)
def test_limits_that_make_no_sense_are_refused(project: Path, words: list[str], message: str):
    result = CliRunner().invoke(app, ["search", *words])
    assert isinstance(result.exception, KdTasksError)
    with pytest.raises(KdTasksError, match=message):
        raise result.exception


def test_without_labels_no_accuracy_can_be_searched_by(project: Path):
    yaml, path = YAML(), project / "params.yaml"
    content = yaml.load(path)
    source = {"name": "unlabelled_folder", "classes": ["cat", "dog"], "test": "known"}
    content["data"] |= {"source": source, "image_size": [8, 8], "train_labels": None}
    content["teacher"] |= {"source": "import", "input": "unit", "stop_epoch": None}
    (project / content["teacher"]["path"] / "big.keras").touch()
    content["exits"]["mode"] = "cost"
    content["select"] |= {"max_accuracy_drop": None, "max_agreement_drop": 0.02}
    yaml.dump(content, path)
    result = CliRunner().invoke(app, ["search", "--max-macs", "0.5", "--dry-run"])
    assert isinstance(result.exception, KdTasksError)
    with pytest.raises(KdTasksError, match=r"no validation image has a label .* select\.max_agree"):
        raise result.exception


def test_limits_may_stand_in_the_params(project: Path):
    path = project / "params.yaml"
    text = path.read_text(encoding="utf-8")
    before, section, after = text.partition("\nsearch:\n")
    assert "max_size_kb: null" in after
    after = after.replace("max_size_kb: null", "max_size_kb: 20.0", 1)
    path.write_text(before + section + after, encoding="utf-8")
    result = CliRunner().invoke(app, ["search", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "at most 20.0" in result.output
