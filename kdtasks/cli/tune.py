"""Tune either student: run trials, show each and the best, say what to run next."""

from pathlib import Path
from typing import NamedTuple

from optuna.trial import FrozenTrial, TrialState

from kdtasks.cli.output import interruptible, json_output, print_result, print_table
from kdtasks.cli.run import run_pipeline
from kdtasks.core.errors import TuneError
from kdtasks.core.records.data import NO_LABELS
from kdtasks.core.text import duration, percent, quantity
from kdtasks.orchestrate.processes import stop_signals
from kdtasks.orchestrate.runner.execute import RunOptions
from kdtasks.orchestrate.runner.lines import LineOutput
from kdtasks.orchestrate.sweep.grid import Settings, value_text
from kdtasks.orchestrate.tune.experiments import TrialExperiments, experiment_name
from kdtasks.orchestrate.tune.record import TuneResult
from kdtasks.orchestrate.tune.result import TRIED, apply_result, write_result
from kdtasks.orchestrate.tune.space import settings_of, spaces
from kdtasks.orchestrate.tune.study import BROKE, Tuning, run_trials
from kdtasks.params import load_project_params
from kdtasks.params.tune import fresh_seeds

NEEDED = ("targets", "labels")  # what a trial reads, with all that these need
COLUMNS = ("student", "validation", "trial", "settings")


class TuneOptions(NamedTuple):
    """What to tune, and how long.

    Attributes:
        settings: spaces that go before the default ones, as `distill.alpha=0..0.5`.
        trials: of either student.
        seed: None for the one that tuned before, else the first of the project.
    """

    settings: tuple[str, ...]
    trials: int
    minutes: float | None
    seed: int | None


def run_tune(project: Path, options: TuneOptions, *, as_json: bool = False) -> int:
    """Bring the targets up to date, run trials, and show the best of either student.

    Returns: 0, or the status of the stages that trials need, where one failed.

    Raises:
        typer.Exit: with status 130, it was stopped by Ctrl-C, SIGTERM or SIGHUP.
        ParamsError: params.yaml is not valid, or a key does not take a value of a space.
        TuneError: a space makes no sense, no trial was trained to its end, or students see no
            label.
    """
    params = load_project_params(project)
    if not params.labels_seen:
        raise TuneError(
            f"{NO_LABELS}, and `kdtasks tune` gives both students as many trials; give "
            "data.train_labels a number, or try settings by `kdtasks run`"
        )
    seed = (params.tune.seeds or params.seeds)[0] if options.seed is None else options.seed
    found_spaces = spaces(params, options.settings)
    tuning = Tuning(project, params, found_spaces, options.trials, seed)
    with json_output(as_json) as emit:
        if status := run_pipeline(project, RunOptions(NEEDED)):
            return status
        result = _tuned(tuning, options)
        emit(result.content())
    return 0


def _tuned(tuning: Tuning, options: TuneOptions) -> TuneResult:
    output = LineOutput()

    def print_trial(name: str, number: int, trial: FrozenTrial) -> None:
        ended = trial.user_attrs.get(BROKE)
        if trial.state is TrialState.COMPLETE:
            ended = percent(trial.value)
        elif not ended:
            ended = f"stopped at {percent(trial.intermediate_values[trial.last_step or 0])}"
        settings = settings_of(tuning.settings(name, trial), tuning.spaces[name])
        taken = trial.duration.total_seconds() if trial.duration else 0.0
        output.print(
            f"{name} {number}/{options.trials}: {ended} in {duration(taken)}; {_text(settings)}"
        )

    after = "finished trials are kept: the same command resumes"
    with stop_signals(), interruptible(after):
        experiments = TrialExperiments.of(tuning)
        keep = experiments.keep if experiments else None
        trials = run_trials(tuning, print_trial, on_recorded=keep, minutes=options.minutes)
        result = write_result(tuning, trials)
        _print(tuning, result, output, has_experiments=experiments is not None)
    return result


def run_apply(project: Path, *, as_json: bool = False) -> int:
    """Write what was found to params.yaml and say what changed. Returns: 0."""
    lines = apply_result(project)
    text = "\n".join(lines or ["params.yaml holds what was found already"])
    if lines:
        text += "\nnext: kdtasks run, which trains both students with seeds that no trial had"
    print_result(lines, text, as_json=as_json)
    return 0


def _print(
    tuning: Tuning, result: TuneResult, output: LineOutput, *, has_experiments: bool
) -> None:
    print_table(
        [
            [name, percent(best.score), f"{best.number} of {result.trials}", _text(best.settings)]
            for name, best in result.best.items()
        ],
        COLUMNS,
        right=["validation"],
    )
    best = [experiment_name(tuning, name, trial.number) for name, trial in result.best.items()]
    kept = f"by `dvc exp show`; the best are {' and '.join(best)}"
    if not has_experiments:
        kept = "with a commit in git they would be DVC experiments too"
    seeds, metric = tuning.params.seeds, tuning.params.metric
    used = {*tuning.params.tune.seeds, result.seed}
    lines = [
        f"best validation {metric.name} of {quantity(result.trials, 'trial')} each, all with seed "
        f"{result.seed}; of so many the best is flattered, so it is no verdict",
        f"every trial: {TRIED}, and {kept}",
        "next: kdtasks tune --apply writes these to params.yaml",
    ]
    fresh = fresh_seeds(seeds, used)
    if fresh != seeds:
        lines[-1] += f" and moves seeds from {list(seeds)} to {list(fresh)}, with which none tuned"
    output.print("\n".join([*lines, "      kdtasks run then compares both on the test split"]))


def _text(settings: Settings) -> str:
    return ", ".join(
        f"{key.rpartition('.')[2]}={value['name'] if key == 'distill.loss' else value_text(value)}"
        for key, value in settings.items()
    )
