"""Trials of students: weak ones stop early, each third by cost for itself; then fresh seeds.

Accuracy alone would stop every small student for a large one's sake. So the students within the
limits are cut into three by their cost, and successive halving goes on among students of one third.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from kdtasks.core.paths import ProjectPaths
from kdtasks.core.reproducibility import generator
from kdtasks.learn.targets.files import target_files
from kdtasks.learn.training.checkpoint import files_hash
from kdtasks.orchestrate.students.footprint import Footprint
from kdtasks.orchestrate.students.projects import Size
from kdtasks.orchestrate.students.space import Student
from kdtasks.orchestrate.sweep.grid import short_digest
from kdtasks.orchestrate.tune.study import (
    LOG,
    begin_trial,
    done,
    end_trial,
    open_studies,
    trained_with,
)
from kdtasks.orchestrate.tune.trial import WHOLE, run_trial
from kdtasks.params import Params
from kdtasks.params.tune import fresh_seeds

THIRDS = ("small", "medium", "large")
FRESH = "fresh"  # the study of further seeds
OnTrial = Callable[[str, Student, int, FrozenTrial], None]  # third or `fresh`, student, seed, trial


class OutOfTime(Exception):  # noqa: N818 - no error
    """There is no time for another training."""


@dataclass(frozen=True)
class StudentSearch:
    """What is searched.

    Attributes:
        params: of the project, with the limits of this search.
        students, footprints: by label, of those within the limits, at least one.
        projects: by image size, a project's folder with images and answers of that size.
    """

    project: Path
    params: Params
    students: Mapping[str, Student]
    footprints: Mapping[str, Footprint]
    projects: Mapping[Size | None, Path]

    @property
    def folder(self) -> Path:
        """Where trials are kept."""
        return ProjectPaths(self.project).students

    @property
    def seed(self) -> int:
        """Of all trials; none of the project's, whose students give the verdict."""
        return fresh_seeds(self.params.seeds, {*self.params.seeds, *self.params.tune.seeds})[0]

    @property
    def fresh(self) -> tuple[int, ...]:
        """Seeds of the front's students, as many as the project has."""
        seeds = self.params.seeds
        return fresh_seeds(seeds, {*seeds, *self.params.tune.seeds, self.seed})

    @cached_property
    def order(self) -> dict[str, list[str]]:
        """The labels of each third in the order in which they are tried, the project's own first.

        The others come at random: `trials` of them stand for all.
        """
        against = self.params.search.student.against
        by_cost = sorted(self.students, key=lambda label: self.footprints[label].cost(against))
        parts = np.array_split(np.array(by_cost), len(THIRDS))
        found = {}
        for number, (name, part) in enumerate(zip(THIRDS, parts, strict=True)):
            drawn = generator("student search", self.seed, number).permutation(part).tolist()
            found[name] = sorted(drawn, key=lambda label: not self._is_own(label))
        return {name: labels for name, labels in found.items() if labels}

    def cost(self, label: str) -> float:
        """Of a student, what accuracy is weighed against."""
        return self.footprints[label].cost(self.params.search.student.against)

    def _is_own(self, label: str) -> bool:
        params = self.students[label].params
        return (params.student, params.data) == (self.params.student, self.params.data)

    @cached_property
    def studies(self) -> dict[str, Study]:
        """The trials so far of each third and of fresh seeds, of these students and files."""
        files = [
            path
            for project in self.projects.values()
            for paths in [ProjectPaths(project)]
            for path in (paths.dataset, paths.labelled, *target_files(paths.targets))
        ]
        trained = {label: trained_with(self.students[label].params) for label in self.students}
        digest = short_digest([trained, files_hash(files), self.order, self.seed])
        # after an eighth, a quarter and a half of its epochs it must be in the better half
        halving = SuccessiveHalvingPruner(min_resource=WHOLE // 8, reduction_factor=2)
        pruners: dict[str, BasePruner] = {f"{name}-{digest}": halving for name in self.order}
        pruners[f"{FRESH}-{digest}"] = NopPruner()
        names = (*self.order, FRESH)
        return dict(zip(names, open_studies(self.folder, pruners), strict=True))

    def tried(self) -> Iterator[tuple[str, Student, FrozenTrial]]:
        """The trials that ended, with their third."""
        for name in self.order:
            for trial in done(self.studies[name]):
                yield name, self.students[trial.params["student"]], trial

    def front(self) -> list[str]:
        """Labels of the students trained to their end that none is better than for less, cheapest
        first.
        """
        scores = {
            student.label: trial.value
            for _, student, trial in self.tried()
            if trial.state is TrialState.COMPLETE and trial.value is not None
        }
        return undominated({label: (self.cost(label), score) for label, score in scores.items()})

    def fresh_scores(self, label: str) -> dict[int, float]:
        """Validation scores of a student by fresh seed."""
        return {
            trial.params["seed"]: trial.value
            for trial in done(self.studies[FRESH])
            if trial.params["student"] == label and trial.value is not None
        }


def undominated(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points (cost, score) that no other is as good as for as little; by cost."""
    front: list[str] = []
    best = -np.inf
    for name, (_, score) in sorted(points.items(), key=lambda item: (item[1][0], -item[1][1])):
        if score > best:
            best = score
            front.append(name)
    return front


def run_search(search: StudentSearch, on_trial: OnTrial, minutes: float) -> bool:
    """Train students, one of each third in turn, then those of the front with fresh seeds.

    Trials of earlier calls count; one that was interrupted goes on from its last checkpoint.

    Args:
        on_trial: is told of every trial, those of earlier calls too.
        minutes: after them no further training begins.

    Returns: whether all that was wanted was trained.
    """
    ends = time.monotonic() + 60 * minutes
    train = partial(_train, search, on_trial, ends)
    try:
        for number in range(search.params.search.student.trials):
            for name, labels in search.order.items():
                if number < len(labels):
                    train(name, {"student": labels[number]}, search.seed)
        for label in search.front():
            for seed in search.fresh:
                train(FRESH, {"student": label, "seed": seed}, seed)
    except OutOfTime:
        return False
    return True


def _train(
    search: StudentSearch,
    on_trial: OnTrial,
    ends: float,
    name: str,
    given: dict[str, str | int],
    seed: int,
) -> None:
    """Train a student unless it was trained already."""
    study, student = search.studies[name], search.students[str(given["student"])]
    ended = next((trial for trial in done(study) if trial.params == given), None)
    if ended is None:
        if time.monotonic() >= ends:
            raise OutOfTime
        space: dict[str, BaseDistribution] = {
            "student": CategoricalDistribution(sorted(search.students))
        }
        if "seed" in given:
            space["seed"] = CategoricalDistribution(search.fresh)
        project, training = search.projects[student.image_size], f"students/{name}"
        trial = begin_trial(study, space, given)
        run = partial(
            run_trial, trial, training, "soft", student.params, project=project, seed=seed
        )
        ended = end_trial(trial, run, search.folder / LOG)
        ProjectPaths(project).checkpoint(training).unlink(missing_ok=True)
    on_trial(name, student, seed, ended)
