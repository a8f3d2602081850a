"""Trials as DVC experiments: the params of each, and what it reached, beside the last commit."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from optuna.trial import FrozenTrial

from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.project.git import (
    changed_tree,
    commit_experiment,
    git,
    reference,
    try_git,
)
from kdtasks.orchestrate.sweep.grid import with_settings
from kdtasks.orchestrate.tune.space import settings_of
from kdtasks.orchestrate.tune.study import Tuning, ending

_METRICS = ProjectPaths().tuned  # of a trial, for `dvc exp show`


def experiment_name(tuning: Tuning, name: str, number: int) -> str:
    """Name the experiment of a student's trial, numbered from 1."""
    return f"tune-{tuning.studies[name].study_name}-{number:03}"


@dataclass(frozen=True)
class SettingsExperiments:
    """Makes an experiment of settings that have none.

    It has no model: it is the project as it is, with other settings in params.yaml, so that
    `dvc exp apply` brings them back, and a file of metrics.

    Attributes:
        head: the commit that experiments start from.
    """

    project: Path
    head: str

    @classmethod
    def of(cls, project: Path) -> Self | None:
        """Those of a project; None where git has no commit of it, to which experiments belong."""
        head = try_git(project, "rev-parse", "--verify", "HEAD")
        return (head and cls(project, head)) or None

    def is_kept(self, experiment: str) -> bool:
        """Whether there is one of this name."""
        return reference(self.head, experiment) in self._kept

    def keep(
        self, experiment: str, settings: Mapping[str, Any], metrics: Mapping[Path, dict[str, Any]]
    ) -> None:
        """Keep settings, by their keys, and metrics, by their file."""
        text = ProjectPaths(self.project).params.read_text(encoding="utf-8")
        if settings:
            text, _ = with_settings(text, dict(settings), source=f"experiment {experiment}")
        files = {Path(ProjectPaths().params): text}
        files |= {path: json.dumps(content, indent=2) + "\n" for path, content in metrics.items()}
        commit_experiment(self.project, self.head, experiment, tree=self._tree, files=files)

    @cached_property
    def _kept(self) -> frozenset[str]:
        known = reference(self.head, "")
        return frozenset(git(self.project, "for-each-ref", "--format=%(refname)", known).split())

    @cached_property
    def _tree(self) -> str:
        return changed_tree(self.project)


@dataclass(frozen=True)
class TrialExperiments:
    """Makes an experiment of every trial of a tuning that has none."""

    tuning: Tuning
    experiments: SettingsExperiments

    @classmethod
    def of(cls, tuning: Tuning) -> Self | None:
        """Those of a tuning; None as of `SettingsExperiments.of`."""
        experiments = SettingsExperiments.of(tuning.project)
        return (experiments and cls(tuning, experiments)) or None

    def keep(self, name: str, number: int, trial: FrozenTrial) -> None:
        """Keep a trial that ended, unless it is kept already.

        Args:
            name: `alone` or `distilled`.
            number: of the trial, from 1.
        """
        experiment = experiment_name(self.tuning, name, number)
        if self.experiments.is_kept(experiment):
            return
        tuning = self.tuning
        settings = settings_of(tuning.settings(name, trial), tuning.spaces[name])
        present = settings_of(tuning.params, settings)
        changed = {key: value for key, value in settings.items() if present[key] != value}
        metrics: dict[str, Any] = {"student": name, "trial": number, "seed": tuning.seed}
        metrics |= {"ended": ending(trial), "epochs": len(trial.intermediate_values)}
        if trial.intermediate_values:
            score = trial.intermediate_values[max(trial.intermediate_values)]
            metrics[f"validation_{tuning.params.metric.key}"] = round(score, 6)
        self.experiments.keep(experiment, changed, {_METRICS: metrics})
