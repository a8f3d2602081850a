"""What came out of a search for a student: its front, with intervals; as search.json and page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kdtasks.core.paths import ProjectPaths
from kdtasks.core.text import (
    NOTHING,
    kilobytes,
    millions,
    milliseconds,
    percent,
    percent_with_range,
    quantity,
    seeds,
)
from kdtasks.evaluate.intervals import seeds_interval
from kdtasks.orchestrate.search.summary import adoption, limits_text, write_table
from kdtasks.orchestrate.students.figure import front_figures
from kdtasks.orchestrate.students.record import FrontPoint, StudentSearchSummary, TriedStudent
from kdtasks.orchestrate.students.space import Student
from kdtasks.orchestrate.students.study import StudentSearch, undominated
from kdtasks.orchestrate.sweep.grid import readable_name, short_digest
from kdtasks.orchestrate.tune.experiments import SettingsExperiments
from kdtasks.orchestrate.tune.study import ending, trained_with

METRICS = ProjectPaths().trial
COLUMNS = ("trial", "searched", "fresh", "file", "gzipped", "arena", "latency", "compute", "front")
NOTE = (
    "Scores are those of distilled float32 students on the validation split, to the last exit: "
    "of the seed that searched, which flatters the best, and with fresh seeds their mean and the "
    "interval over these. Costs are of untrained networks as int8 files, also to the last exit. "
    "The test split was not read."
)
COSTS = {"bytes": ("smallest", kilobytes), "macs": ("lightest", millions)}
COSTS["latency_ms"] = ("fastest", milliseconds)


def experiment_name(search: StudentSearch, student: Student) -> str:
    """Name the experiment of a student."""
    identity = [trained_with(student.params), search.seed]
    return f"{readable_name(f'student-{student.label}')}-{short_digest(identity)}"


def keep_experiments(search: StudentSearch) -> None:
    """Make an experiment of every student that was tried, where git has a commit."""
    if not (experiments := SettingsExperiments.of(search.project)):
        return
    for trial in _trials(search):
        if not experiments.is_kept(trial.experiment):
            about = trial.model_dump(
                exclude={"label", "settings", "experiment", "footprint"}, exclude_none=True
            )
            metrics = {METRICS: about | trial.footprint.present()}
            experiments.keep(trial.experiment, trial.settings, metrics)


def summarise(
    search: StudentSearch, left_out: Mapping[str, str], *, is_whole: bool
) -> StudentSearchSummary:
    """Say what came out (docs/files.md).

    Args:
        left_out: why students were not tried, by label.
        is_whole: whether there was time for all.
    """
    trials, front = _trials(search), _front(search)
    chosen = _chosen(search, front)
    label = chosen.label if chosen else None
    return StudentSearchSummary(
        recipe=search.params.recipe,
        metric=search.params.metric.name,
        limits=search.params.search,
        seed=search.seed,
        fresh_seeds=search.fresh,
        trials=trials,
        left_out=dict(left_out),
        front=front,
        winner=label,
        sentence=_sentence(search, len(trials), chosen, is_whole=is_whole),
        adopt=next((adoption(trial) for trial in trials if trial.label == label), ()),
    )


def write_page(folder: Path, summary: StudentSearchSummary) -> Path:
    """Write index.html, search.json and an image a cost; returns the page."""
    images, columns = front_figures(summary), headings(summary.metric)
    return write_table(folder, summary, columns, rows(summary), NOTE, images)


def headings(metric: str) -> dict[str, str]:
    """What stands over the columns; `metric` is what students are compared by."""
    named = {"trial": "student", "searched": f"{metric}, one seed", "fresh": "fresh seeds"}
    return {column: named.get(column, column) for column in COLUMNS}


def rows(summary: StudentSearchSummary) -> list[dict[str, str]]:
    """A row of texts for every student: of the front, tried besides, and left out."""
    rows = []
    front = {point.label: point for point in summary.front}
    for trial in sorted(summary.trials, key=lambda trial: trial.label not in front):
        point, cost = front.get(trial.label), trial.footprint
        words = trial.ended
        if words == "pruned":
            words = f"stopped after {quantity(trial.epochs, 'epoch')}"
        if point:
            words = "on it" if point.stays else "left it with fresh seeds"
        fresh = percent_with_range(point.mean, point.interval) if point else NOTHING
        rows.append(
            {
                "trial": trial.label,
                "searched": percent(trial.score),
                "fresh": fresh,
                "file": kilobytes(cost.bytes),
                "gzipped": kilobytes(cost.gzip_bytes),
                "arena": kilobytes(cost.arena_bytes),
                "latency": milliseconds(cost.latency_ms),
                "compute": millions(cost.macs),
                "front": NOTHING if words == "complete" else words,
            }
        )
    for label, reason in summary.left_out.items():
        rows.append(dict.fromkeys(COLUMNS, "") | {"trial": label, "front": f"not tried: {reason}"})
    return rows


def _trials(search: StudentSearch) -> tuple[TriedStudent, ...]:
    return tuple(
        TriedStudent(
            label=student.label,
            settings=student.settings,
            experiment=experiment_name(search, student),
            third=third,
            ended=ending(trial),
            epochs=len(trial.intermediate_values),
            score=trial.intermediate_values[max(trial.intermediate_values)]
            if trial.intermediate_values
            else None,
            footprint=search.footprints[student.label],
        )
        for third, student, trial in search.tried()
    )


def _front(search: StudentSearch) -> tuple[FrontPoint, ...]:
    """The points, cheapest first; one may leave it once fresh seeds are known."""
    scores = {label: search.fresh_scores(label) for label in search.front()}
    means = {label: float(np.mean([*own.values()])) for label, own in scores.items() if own}
    stay = undominated({label: (search.cost(label), mean) for label, mean in means.items()})
    front = []
    for label, by_seed in scores.items():
        interval = seeds_interval([*by_seed.values()], search.params.evaluate.confidence)
        point = FrontPoint(
            label=label,
            cost=search.cost(label),
            by_seed={str(seed): score for seed, score in by_seed.items()},
            mean=means.get(label),
            interval=interval and tuple(np.clip(interval, 0.0, 1.0).tolist()),
            stays=label in stay or not by_seed,
        )
        front.append(point)
    return tuple(front)


def _chosen(search: StudentSearch, front: Sequence[FrontPoint]) -> FrontPoint | None:
    """The cheapest whose mean is near enough to the best; None before every seed has one."""
    means = [point.mean for point in front if point.mean is not None]
    if not front or any(len(point.by_seed) < len(search.fresh) for point in front):
        return None
    least = max(means) - search.params.search.max_accuracy_drop - 1e-9
    return next(point for point, mean in zip(front, means, strict=True) if mean >= least)


def _sentence(
    search: StudentSearch, trials: int, chosen: FrontPoint | None, *, is_whole: bool
) -> str:
    tried = f"{quantity(trials, 'student')} tried"
    if not is_whole:
        return (
            f"{tried}; the time is up before the front has all its "
            f"{seeds(len(search.fresh))}: the same command resumes."
        )
    if chosen is None:
        return f"{tried}, and the front is not complete: a training broke down, see the table."
    word, write = COSTS[search.params.search.student.against]
    score = percent_with_range(chosen.mean, chosen.interval)
    return (
        f"{chosen.label} is the {word} of {tried} for {limits_text(search.params.search)} to the "
        f"most accurate: {write(chosen.cost)}, {score} over {seeds(len(search.fresh))}."
    )
