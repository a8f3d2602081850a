"""Trials are experiments of the last commit, and nothing in the project is touched for it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, create_trial

from kdtasks.core.files import read_json
from kdtasks.orchestrate.project.git import git, try_git
from kdtasks.orchestrate.project.project import DVC
from kdtasks.orchestrate.tune.experiments import TrialExperiments, experiment_name
from kdtasks.orchestrate.tune.study import BROKE, Tuning
from kdtasks.params.write import render_params
from tests.tools.tuning import tiny_params

MakeTuning = Callable[..., Tuning]
PIPELINE = "metrics:\n- report/tune.json\nstages: {}\n"


def commit(folder: Path) -> str:
    # The project is a folder in the repository, and this machine may have no identity.
    git(folder.parent, "init", "--quiet")
    (folder / ".gitignore").write_text("/.kdtasks/\n", encoding="utf-8")
    git(folder.parent, "add", "--all")
    words = ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "all")
    git(folder.parent, *words)
    return git(folder, "rev-parse", "HEAD").strip()


def shown(folder: Path, head: str, experiment: str, path: str) -> str:
    return git(folder, "show", f"refs/exps/{head[:2]}/{head[2:]}/{experiment}:./{path}")


def trial_of(tuning: Tuning, name: str, scores: list[float], **ended: object) -> FrozenTrial:
    spaces: dict[str, Any] = {**tuning.spaces[name]}
    chosen = {
        key: space.choices[0] if isinstance(space, CategoricalDistribution) else space.low
        for key, space in spaces.items()
    }
    if name == "distilled":
        chosen["distill.alpha"] = 0.25
    return create_trial(
        params=chosen,
        distributions=tuning.spaces[name],
        value=scores[-1],
        intermediate_values=dict(enumerate(scores, start=1)),
        **ended,  # type: ignore[arg-type]
    )


def test_a_trial_is_the_project_with_its_settings_and_what_it_reached(
    project: Path, make_tuning: MakeTuning
) -> None:
    (project / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    head = commit(project)
    (project / "dvc.yaml").write_text(f"# changed\n{PIPELINE}", encoding="utf-8")
    before = git(project, "status", "--porcelain=v2")
    tuning = make_tuning()
    experiments = TrialExperiments.of(tuning)
    assert experiments
    experiments.keep("distilled", 1, trial_of(tuning, "distilled", [0.5, 0.75]))
    name = experiment_name(tuning, "distilled", 1)
    assert name == f"tune-{tuning.studies['distilled'].study_name}-001"
    text = shown(project, head, name, "params.yaml")
    assert "alpha: 0.25" in text
    assert text.splitlines()[0] == render_params(tiny_params()).splitlines()[0]  # a comment
    found = json.loads(shown(project, head, name, "report/tune.json"))
    assert found == {
        "student": "distilled", "trial": 1, "seed": 3, "ended": "complete", "epochs": 2,
        "validation_accuracy": 0.75,
    }  # fmt: skip
    assert shown(project, head, name, "dvc.yaml").startswith("# changed")  # as it is now
    assert git(project, "status", "--porcelain=v2") == before
    assert git(project, "stash", "list") == ""


def test_a_trial_that_broke_down_says_why_and_one_that_is_kept_is_not_made_anew(
    project: Path, make_tuning: MakeTuning
) -> None:
    head, tuning = commit(project), make_tuning()
    broken = trial_of(tuning, "alone", [0.5], user_attrs={BROKE: "the loss is not a number"})
    keeper = TrialExperiments.of(tuning)
    assert keeper
    keeper.keep("alone", 2, broken)
    name = experiment_name(tuning, "alone", 2)
    assert json.loads(shown(project, head, name, "report/tune.json"))["ended"] == (
        "the loss is not a number"
    )
    reference = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
    git(project, "update-ref", reference, head)
    again = TrialExperiments.of(tuning)
    assert again
    again.keep("alone", 2, broken)
    assert git(project, "rev-parse", reference).strip() == head


def test_without_a_commit_there_are_none(project: Path, make_tuning: MakeTuning) -> None:
    assert try_git(project, "rev-parse", "HEAD") is None
    assert TrialExperiments.of(make_tuning()) is None


@pytest.mark.slow
def test_dvc_lists_it_with_its_metrics_and_brings_its_settings_back(
    project: Path, make_tuning: MakeTuning
) -> None:
    (project / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    git(project.parent, "init", "--quiet")
    subprocess.run([*DVC, "init", "--quiet", "--subdir"], cwd=project, check=True)
    commit(project)
    tuning = make_tuning()
    experiments = TrialExperiments.of(tuning)
    assert experiments
    experiments.keep("distilled", 1, trial_of(tuning, "distilled", [0.75]))
    name = experiment_name(tuning, "distilled", 1)
    shows = subprocess.run(
        [*DVC, "exp", "show", "--csv"], cwd=project, check=True, capture_output=True, text=True
    ).stdout
    [line] = [line for line in shows.splitlines() if name in line]
    assert "0.75" in line
    assert "distilled" in line
    subprocess.run([*DVC, "exp", "apply", name], cwd=project, check=True, capture_output=True)
    assert "alpha: 0.25" in (project / "params.yaml").read_text(encoding="utf-8")
    assert read_json(project / "report/tune.json")["trial"] == 1
