"""Trials as DVC experiments: the params of each, and what it reached, beside the last commit."""

import json
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
    git_if_any,
    reference,
)
from kdtasks.orchestrate.sweep.grid import with_settings
from kdtasks.orchestrate.tune.space import settings_of
from kdtasks.orchestrate.tune.study import Tuning, ending

_METRICS = ProjectPaths().tuned  # of a trial, for `dvc exp show`


def experiment_name(tuning: Tuning, name: str, number: int) -> str:
    """Name the experiment of a student's trial, numbered from 1."""
    return f"tune-{tuning.studies[name].study_name}-{number:03}"


@dataclass(frozen=True)
class TrialExperiments:
    """Makes an experiment of every trial that has none.

    A trial leaves no model: its experiment is the project as it is, with the settings of the trial
    in params.yaml, so that `dvc exp apply` brings them back, and a file of metrics.

    Attributes:
        head: the commit that experiments start from.
    """

    tuning: Tuning
    head: str

    @classmethod
    def of(cls, tuning: Tuning) -> Self | None:
        """Those of a project; None where git has no commit of it, to which experiments belong."""
        head = git_if_any(tuning.project, "rev-parse", "--verify", "HEAD")
        return (head and cls(tuning, head)) or None

    def keep(self, name: str, number: int, trial: FrozenTrial) -> None:
        """Keep a trial that ended, unless it is kept already.

        Args:
            name: `alone` or `distilled`.
            number: of the trial, from 1.
        """
        experiment = experiment_name(self.tuning, name, number)
        if reference(self.head, experiment) in self._kept:
            return
        tuning, text = self.tuning, self._text
        settings = settings_of(tuning.settings(name, trial), tuning.spaces[name])
        present = settings_of(tuning.params, settings)
        changed = {key: value for key, value in settings.items() if present[key] != value}
        if changed:
            text, _ = with_settings(text, changed, source="kdtasks tune")
        metrics: dict[str, Any] = {"student": name, "trial": number, "seed": tuning.seed}
        metrics |= {"ended": ending(trial), "epochs": len(trial.intermediate_values)}
        if trial.intermediate_values:
            score = trial.intermediate_values[max(trial.intermediate_values)]
            metrics[f"validation_{tuning.params.metric.key}"] = round(score, 6)
        files = {Path(ProjectPaths().params): text, _METRICS: json.dumps(metrics, indent=2) + "\n"}
        commit_experiment(tuning.project, self.head, experiment, tree=self._tree, files=files)

    @cached_property
    def _kept(self) -> frozenset[str]:
        known = reference(self.head, "")
        return frozenset(
            git(self.tuning.project, "for-each-ref", "--format=%(refname)", known).split()
        )

    @cached_property
    def _tree(self) -> str:
        return changed_tree(self.tuning.project)

    @cached_property
    def _text(self) -> str:
        return ProjectPaths(self.tuning.project).params.read_text(encoding="utf-8")
