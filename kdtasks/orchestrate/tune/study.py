"""The trials of both students: as many of either, in turn; kept in a file, so that they go on."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import TrialPruned
from optuna.pruners import BasePruner, SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from kdtasks.core.errors import TrainingError, TuneError
from kdtasks.core.locks import locked_if_free
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.reproducibility import generator, pin_process
from kdtasks.learn.targets.files import target_files
from kdtasks.learn.training.checkpoint import files_hash
from kdtasks.orchestrate.sweep.grid import short_digest
from kdtasks.orchestrate.tune.space import ARMS, Space, present, with_values
from kdtasks.orchestrate.tune.trial import WHOLE, run_trial
from kdtasks.params import Params

DONE = (TrialState.COMPLETE, TrialState.PRUNED)
LOG = "log.txt"  # what trainings print
BROKE = "broke"  # the attribute of a trial whose training broke down: why
OnTrial = Callable[[str, int, FrozenTrial], None]  # name of the student, number of its trial from 1


@dataclass(frozen=True)
class Tuning:
    """What is tuned, and how.

    Attributes:
        spaces: of `alone` and of `distilled`.
        trials: of either.
        seed: of the trials' students and of the draws.
    """

    project: Path
    params: Params
    spaces: dict[str, Space]
    trials: int
    seed: int

    @property
    def folder(self) -> Path:
        """Where trials are kept."""
        return ProjectPaths(self.project).tune

    @cached_property
    def studies(self) -> dict[str, Study]:
        """The trials so far of either student, with these settings, files, spaces and seed."""
        paths = ProjectPaths(self.project)
        files = files_hash([paths.dataset, paths.labelled, *target_files(paths.targets)])
        described = {
            name: {key: distribution_to_json(distribution) for key, distribution in space.items()}
            for name, space in self.spaces.items()
        }
        digest = short_digest([trained_with(self.params), files, described, self.seed])
        # at a quarter and a half of its epochs a trial must be in the better half
        pruner = SuccessiveHalvingPruner(min_resource=WHOLE // 4, reduction_factor=2)
        pruners: dict[str, BasePruner] = {f"{name}-{digest}": pruner for name in ARMS}
        return dict(zip(ARMS, open_studies(self.folder, pruners), strict=True))

    def settings(self, name: str, trial: FrozenTrial) -> Params:
        """Params with what a trial drew."""
        return with_values(self.params, {key: trial.params[key] for key in self.spaces[name]})


def trained_with(params: Params) -> dict[str, Any]:
    """The sections that trainings of students depend on, and what they are judged by."""
    sections = {"runtime", "data", "augmentation", "train", "targets", "student", "distill"}
    return params.model_dump(mode="json", include=sections) | {"metric": params.metric.key}


def open_studies(folder: Path, pruners: Mapping[str, BasePruner]) -> list[Study]:
    """The studies of these names in a folder's storage, each with its pruner; new where missing."""
    folder.mkdir(parents=True, exist_ok=True)
    storage = RDBStorage(f"sqlite:///{folder.absolute() / 'optuna.db'}")
    return [
        optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=pruner,
        )
        for name, pruner in pruners.items()
    ]


def run_trials(
    tuning: Tuning,
    on_trial: OnTrial,
    *,
    on_recorded: OnTrial | None = None,
    minutes: float | None = None,
) -> int:
    """Run trials, one of either student in turn, until there are as many as wanted.

    Trials of earlier calls count. Each trial's draws depend on the seed and on the trials before
    it alone, so a tuning that was interrupted finds what one that never stopped would have found.

    Args:
        on_trial: is told of every trial that ended.
        on_recorded: is told of those of earlier calls too, which may have been killed before it
            was.
        minutes: after them no further pair begins.

    Returns: the trials that either student has had.

    Raises:
        TuneError: another tuning is running.
    """
    prepare_process(tuning.params)
    begun = time.monotonic()
    with _locked(tuning.folder):
        for number in range(tuning.trials):
            is_late = minutes is not None and time.monotonic() - begun >= 60 * minutes
            if is_late and not any(len(done(study)) > number for study in tuning.studies.values()):
                return number
            for name, study in tuning.studies.items():
                if len(done(study)) <= number:
                    on_trial(name, number + 1, _next_trial(tuning, name, study))
                if on_recorded:
                    on_recorded(name, number + 1, done(study)[number])
    return tuning.trials


def prepare_process(params: Params) -> None:
    """Have this process train as stages do, and Optuna say nothing but warnings."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    runtime = params.runtime
    pin_process(runtime.threads, precision=runtime.precision, device=runtime.device)


def done(study: Study) -> list[FrozenTrial]:
    """The trials that ended: whole, pruned or broken down."""
    return study.get_trials(deepcopy=False, states=DONE)


def ending(trial: FrozenTrial) -> str:
    """How a trial ended: whole, pruned, or why its training broke down."""
    return str(trial.user_attrs.get(BROKE) or trial.state.name.lower())


def best_of(tuning: Tuning, name: str, trials: int) -> FrozenTrial:
    """The best whole one of a student's first trials.

    Raises:
        TuneError: there is none.
    """
    first = done(tuning.studies[name])[:trials]
    whole = [trial for trial in first if trial.state is TrialState.COMPLETE]
    if not whole:
        reasons = "; ".join({trial.user_attrs.get(BROKE, "pruned") for trial in first})
        raise TuneError(
            f"none of {trials} trials of the student ({name}) was trained to its end: "
            f"{reasons or 'none was run'}; give more --trials or --minutes, or by -S "
            "lower learning rates"
        )
    return max(whole, key=lambda trial: trial.value or 0.0)  # of equal ones the first


def _next_trial(tuning: Tuning, name: str, study: Study) -> FrozenTrial:
    space, number = tuning.spaces[name], len(done(study))
    draws = generator(f"tune {name}", tuning.seed, number)
    study.sampler = TPESampler(seed=int(draws.integers(2**31)))
    given = None if number else present(tuning.params, space)  # the first has those of params
    trial = begin_trial(study, space, given)
    params = tuning.settings(name, study.get_trials(deepcopy=False)[trial.number])
    project, seed, training = tuning.project, tuning.seed, f"tune/{name}"
    train = partial(run_trial, trial, training, ARMS[name], params, project=project, seed=seed)
    ended = end_trial(trial, train, tuning.folder / LOG)
    ProjectPaths(project).checkpoint(training).unlink(missing_ok=True)
    return ended


def begin_trial(
    study: Study, space: Mapping[str, BaseDistribution], given: Mapping[str, Any] | None = None
) -> Trial:
    """The trial that was interrupted, or another.

    Args:
        given: values of all that is drawn; None to draw them.
    """
    for frozen in study.get_trials(states=[TrialState.RUNNING]):
        is_it = (given or {}).items() <= frozen.params.items()
        if is_it and frozen.params.keys() == space.keys():
            return Trial(study, frozen._trial_id)  # Optuna has no other way to go on with one
        study.tell(frozen.number, state=TrialState.FAIL)
    if given is not None and not study.get_trials(states=[TrialState.WAITING]):
        study.enqueue_trial(dict(given))
    return study.ask(dict(space))


def end_trial(trial: Trial, train: Callable[[], float], log: Path) -> FrozenTrial:
    """Run a trial to its end; what it prints goes to a log."""
    study = trial.study
    with log.open("a", encoding="utf-8") as file, redirect_stdout(file):
        try:
            value = train()
        except TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        except TrainingError as error:
            trial.set_user_attr(BROKE, str(error))
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, value)
    return study.get_trials(deepcopy=False)[trial.number]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with locked_if_free(folder / "lock") as lock:
        if lock is None:
            raise TuneError(f"another tuning is running in {folder}; wait for it, or stop it")
        yield
