"""A search whose trainings are replaced by a table of scores; Optuna is the real one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.exceptions import TrialPruned
from optuna.trial import Trial

from kdtasks.orchestrate.students.footprint import Footprint
from kdtasks.orchestrate.students.space import list_students
from kdtasks.orchestrate.students.study import StudentSearch
from kdtasks.params import Params
from tests.tools.tuning import tiny_params

MakeSearch = Callable[..., StudentSearch]
STEPS = (125, 250, 500, 1000)  # thousandths of the epochs at which weak ones stop, and all
WIDTHS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


def with_space(params: Params, limits: dict[str, Any] | None = None, **space: Any) -> Params:
    """Params whose search is for a student."""
    content = params.model_dump(mode="json")
    content["search"] |= {"space": "student", **(limits or {})}
    content["search"]["student"] |= space
    return Params.model_validate(content)


class Trainings:
    """Stands in for `run_trial`: a student's score at each of `STEPS`, plus its seed.

    Attributes:
        ran: label and seed of each training that was begun.
        stop_at: the report at which Ctrl-C comes; 0 for never.
    """

    def __init__(self) -> None:
        self.ran: list[tuple[str, int]] = []
        self.scores: dict[str, float] = {}
        self.stop_at = 0
        self._reports = 0

    def run(
        self, trial: Trial, training: str, arm: str, params: Params, *, project: Path, seed: int
    ) -> float:
        label = str(trial.params["student"])
        self.ran.append((label, seed))
        told = set(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)
        score = self.scores[label] + seed / 1000
        for step in STEPS:
            if step not in told:
                trial.report(score * step / 1000, step)
                self._reports += 1
                if self._reports == self.stop_at:
                    raise KeyboardInterrupt
                if step < 1000 and trial.should_prune():
                    raise TrialPruned
        return score


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    found = Trainings()
    monkeypatch.setattr("kdtasks.orchestrate.students.study.run_trial", found.run)
    return found


@pytest.fixture
def make_search(tmp_path: Path, trainings: Trainings) -> MakeSearch:
    """Six widths, each as many bytes as a thousand times it is wide."""

    def make(folder: str = "project", **space: Any) -> StudentSearch:
        params = with_space(tiny_params(), widths=WIDTHS, depths=[0], **space)
        students, _ = list_students(params)
        found = {label: Footprint(macs=1, bytes=0) for label in students}
        for label in found:
            width = float(label.split(",")[0].removeprefix("width "))
            found[label] = Footprint(macs=1, bytes=round(1000 * width))
            trainings.scores.setdefault(label, 0.8 + width / 100)
        project = tmp_path / folder
        for file in ("data/prepared/dataset.json", "data/labelled.npy"):
            (project / file).parent.mkdir(parents=True, exist_ok=True)
            (project / file).touch()
        return StudentSearch(project, params, students, found, {None: project})

    return make
