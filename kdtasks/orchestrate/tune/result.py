"""What was found, and how it comes into params.yaml."""

from pathlib import Path

from kdtasks.core.errors import KdTasksError, TuneError
from kdtasks.core.files import write_text
from kdtasks.core.paths import ProjectPaths
from kdtasks.learn.networks.saved import initial_weights_of
from kdtasks.orchestrate.sweep.grid import short_digest, value_text, with_settings
from kdtasks.orchestrate.tune.record import Best, TriedSettings, Tuned, TuneResult
from kdtasks.orchestrate.tune.space import KEYS, settings_of
from kdtasks.orchestrate.tune.study import Tuning, best_of, done, ending, trained_with
from kdtasks.params import Params, load_project_params
from kdtasks.params.tune import fresh_seeds
from kdtasks.params.write import render_params

FILE = "found.json"
TRIED = Path("report") / "tune" / "tune.json"  # the same with every trial, to look at


def write_result(tuning: Tuning, trials: int) -> TuneResult:
    """Write down the best of the first trials of either student.

    Raises:
        TuneError: a student has none that was trained to its end.
    """
    best = {}
    for name, space in tuning.spaces.items():
        trial = best_of(tuning, name, trials)
        settings = settings_of(tuning.settings(name, trial), space)
        number = done(tuning.studies[name]).index(trial) + 1
        best[name] = Best(score=trial.value or 0.0, number=number, settings=settings)
    result = TuneResult(others=_others(tuning.params), trials=trials, seed=tuning.seed, best=best)
    result.write(tuning.folder / FILE)
    tried = {name: _tried(tuning, name) for name in tuning.spaces}
    Tuned(**dict(result), tried=tried).write(tuning.project / TRIED)
    return result


def apply_result(project: Path) -> list[str]:
    """Write into params.yaml what was found last, and seeds that no trial trained with.

    Returns: what changed, a line a key; nothing where params.yaml says it already.

    Raises:
        TuneError: nothing was found yet, or it was for other settings than these.
        ParamsError: there is no network to start from for a seed.
    """
    paths, params = ProjectPaths(project), load_project_params(project)
    if not (paths.tune / FILE).is_file():
        raise TuneError("nothing was found yet; run `kdtasks tune` first")
    try:
        result = TuneResult.read(paths.tune / FILE)
    except KdTasksError as error:
        raise TuneError(f"{paths.tune / FILE} is damaged; run `kdtasks tune` again") from error
    if result.others != _others(params):
        raise TuneError(
            "params.yaml has changed since `kdtasks tune` ran, in other keys than those that it "
            "tunes; run `kdtasks tune` again"
        )
    used = sorted({*params.tune.seeds, result.seed})
    seeds = fresh_seeds(params.seeds, used)
    settings = {"tune.trials": result.trials, "tune.seeds": used, "seeds": list(seeds)}
    settings |= {
        key: value for trial in result.best.values() for key, value in trial.settings.items()
    }
    before = settings_of(params, settings)
    changed = {key: value for key, value in settings.items() if before[key] != value}
    for seed in seeds:
        initial_weights_of(Path(params.student.start), seed, project)
    if changed:
        text = paths.params.read_text(encoding="utf-8")
        is_ours = text == render_params(params)  # else comments of somebody's own are kept
        text, applied = with_settings(text, changed, source="kdtasks tune --apply")
        write_text(paths.params, render_params(applied) if is_ours else text)
    return [
        f"{key}: {value_text(before[key])} → {value_text(value)}" for key, value in changed.items()
    ]


def _tried(tuning: Tuning, name: str) -> tuple[TriedSettings, ...]:
    return tuple(
        TriedSettings(
            settings=settings_of(tuning.settings(name, trial), tuning.spaces[name]),
            scores=tuple(trial.intermediate_values.values()),
            ended=ending(trial),
        )
        for trial in done(tuning.studies[name])
    )


def _others(params: Params) -> str:
    content = trained_with(params)
    for key in (key for keys in KEYS.values() for key in keys):
        section, name = key.split(".")
        del content[section][name]
    return short_digest(content)
