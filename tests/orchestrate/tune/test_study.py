"""Trials: as many of either student, the same after an interruption, cut short if hopeless."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, Trial, TrialState

from kdtasks.core.errors import TuneError
from kdtasks.core.locks import locked_if_free
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.tune.space import present, spaces
from kdtasks.orchestrate.tune.study import BROKE, Tuning, best_of, done, run_trials
from kdtasks.params import load_project_params
from tests.tools.records import judged_by

MakeTuning = Callable[..., Tuning]


def ignore(name: str, number: int, trial: FrozenTrial) -> None:
    """Nobody is told."""


def tried(tuning: Tuning) -> dict[str, list[Any]]:
    """All that is known of the trials that ended, but when they ran."""
    return {
        name: [
            (trial.state, trial.values, trial.params, trial.intermediate_values)
            for trial in done(study)
        ]
        for name, study in tuning.studies.items()
    }


@pytest.fixture(scope="module")
def whole(made_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuning:
    """Three trials of either student, never interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "project"
    shutil.copytree(made_project, folder)
    params = load_project_params(folder)
    tuning = Tuning(folder, params, spaces(params, ()), 3, 3)
    assert run_trials(tuning, ignore) == 3
    return tuning


def test_both_students_have_as_many_trials_and_begin_with_what_params_say(whole: Tuning):
    for name, study in whole.studies.items():
        trials = done(study)
        assert len(trials) == 3
        assert trials[0].params == present(whole.params, whole.spaces[name])
        assert trials[0].state is TrialState.COMPLETE  # there was none to keep up with
        assert len(trials[0].intermediate_values) == 4  # epochs
        assert best_of(whole, name, 3).value == max(trial.value or 0.0 for trial in trials)
    assert not ProjectPaths(whole.project).checkpoint("tune/alone").exists()


def test_the_student_alone_is_judged_by_the_epoch_that_it_keeps(whole: Tuning):
    first = done(whole.studies["alone"])[0]
    scores = list(first.intermediate_values.values())
    assert scores == sorted(scores)
    assert first.value == scores[-1]


def test_other_settings_files_or_seeds_are_another_tuning(whole: Tuning):
    def names(tuning: Tuning) -> set[str]:
        return {study.study_name for study in tuning.studies.values()}

    same = Tuning(whole.project, whole.params, whole.spaces, 9, 3)
    assert names(same) == names(whole)
    others = [
        Tuning(whole.project, whole.params, whole.spaces, 3, 4),
        Tuning(whole.project, whole.params, spaces(whole.params, ["distill.alpha=0.5"]), 3, 3),
        Tuning(
            whole.project,
            whole.params.model_copy(
                update={"train": whole.params.train.model_copy(update={"batch_size": 16})}
            ),
            whole.spaces,
            3,
            3,
        ),
        Tuning(whole.project, judged_by(whole.params, "macro_f1"), whole.spaces, 3, 3),
    ]
    assert len(set().union(*map(names, others), names(whole))) == 10


@pytest.mark.slow
@pytest.mark.parametrize("reports", [2, 9])
def test_an_interrupted_tuning_ends_as_one_that_never_stopped(
    make_tuning: MakeTuning, whole: Tuning, monkeypatch: pytest.MonkeyPatch, reports: int
):
    """Interrupted inside a training, and again as soon as it goes on."""
    tell_score, left = Trial.report, [reports]

    def report(trial: Trial, value: float, step: int) -> None:
        tell_score(trial, value, step)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trial, "report", report)
    for reports_until in (reports, 1):
        left[0] = reports_until
        with pytest.raises(KeyboardInterrupt):
            run_trials(make_tuning(), ignore)
    log = make_tuning().folder / "log.txt"
    assert "resuming after epoch" in log.read_text(encoding="utf-8")
    assert run_trials(make_tuning(), ignore) == 3
    assert tried(make_tuning()) == tried(whole)


def test_more_trials_go_on_from_those_that_are_there(make_tuning: MakeTuning, whole: Tuning):
    told: list[tuple[str, int]] = []

    def tell(name: str, number: int, trial: FrozenTrial) -> None:
        told.append((name, number))

    assert run_trials(make_tuning(trials=1), tell) == 1
    assert run_trials(make_tuning(trials=2), tell) == 2
    assert told == [("alone", 1), ("distilled", 1), ("alone", 2), ("distilled", 2)]
    assert tried(make_tuning()) == {name: trials[:2] for name, trials in tried(whole).items()}


def test_time_ends_between_pairs(make_tuning: MakeTuning, monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]
    monkeypatch.setattr("kdtasks.orchestrate.tune.study.time.monotonic", lambda: clock[0])

    def tell(name: str, number: int, trial: FrozenTrial) -> None:
        clock[0] += 61.0

    tuning = make_tuning()
    assert run_trials(tuning, tell, minutes=1) == 1
    assert [len(done(study)) for study in tuning.studies.values()] == [1, 1]


def test_a_training_that_breaks_down_is_a_trial_too(make_tuning: MakeTuning):
    tuning = make_tuning("student.learning_rate=1e30", trials=1)
    assert run_trials(tuning, ignore) == 1
    (trial,) = done(tuning.studies["alone"])
    assert trial.state is TrialState.PRUNED
    assert "lower the learning rate" in trial.user_attrs[BROKE]
    with pytest.raises(TuneError, match=r"none of 1 trials of .*\(alone\).*lower the learning"):
        best_of(tuning, "alone", 1)


def test_one_tuning_at_a_time(make_tuning: MakeTuning):
    tuning = make_tuning()
    tuning.folder.mkdir(parents=True)
    with (
        locked_if_free(tuning.folder / "lock"),
        pytest.raises(TuneError, match="another tuning is running"),
    ):
        run_trials(tuning, ignore)
