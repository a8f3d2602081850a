"""What came out of a search for a student: its front, with intervals; as search.json and page."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
from kdtasks.orchestrate.search.summary import limits_text, write_table
from kdtasks.orchestrate.students.figure import front_figures
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
        student = search.students[trial["label"]]
        if not experiments.is_kept(trial["experiment"]):
            told = trial.keys() - {"settings", "label", "experiment"}
            known = {key: trial[key] for key in sorted(told) if trial[key] is not None}
            experiments.keep(trial["experiment"], student.settings, {METRICS: known})


def summarise(
    search: StudentSearch, left_out: Mapping[str, str], *, is_whole: bool
) -> dict[str, Any]:
    """Build the content of search.json (docs/files.md).

    Args:
        left_out: why students were not tried, by label.
        is_whole: whether there was time for all.
    """
    front = _front(search)
    chosen = _chosen(search, front)
    adopt = []
    if chosen:
        student = search.students[chosen]
        settings = [f"{key}: {json.dumps(value)}" for key, value in student.settings.items()]
        name = experiment_name(search, student)
        adopt = [f"in params.yaml {'; '.join(settings)}", f"or dvc exp apply {name}"]
    return {
        "recipe": search.params.recipe,
        "space": "student",
        "metric": search.params.metric.name,
        "limits": search.params.search.model_dump(mode="json", exclude={"minutes", "space"}),
        "seed": search.seed,
        "fresh_seeds": list(search.fresh),
        "trials": _trials(search),
        "left_out": dict(left_out),
        "front": front,
        "winner": chosen,
        "nearest": None,
        "sentence": _sentence(search, front, chosen, is_whole=is_whole),
        "adopt": adopt,
    }


def write_page(folder: Path, summary: dict[str, Any]) -> Path:
    """Write index.html, search.json and an image a cost; returns the page."""
    images, columns = front_figures(summary), headings(summary["metric"])
    return write_table(folder, summary, columns, rows(summary), NOTE, images)


def headings(metric: str) -> dict[str, str]:
    """What stands over the columns; `metric` is what students are compared by."""
    named = {"trial": "student", "searched": f"{metric}, one seed", "fresh": "fresh seeds"}
    return {column: named.get(column, column) for column in COLUMNS}


def rows(summary: dict[str, Any]) -> list[dict[str, str]]:
    """A row of texts for every student: of the front, tried besides, and left out."""
    found = []
    front = {point["label"]: point for point in summary["front"]}
    for trial in sorted(summary["trials"], key=lambda trial: trial["label"] not in front):
        point = front.get(trial["label"])
        words = trial["ended"]
        if words == "pruned":
            words = f"stopped after {quantity(trial['epochs'], 'epoch')}"
        if point:
            words = "on it" if point["stays"] else "left it with fresh seeds"
        fresh = percent_with_range(point["mean"], point["interval"]) if point else NOTHING
        found.append(
            {
                "trial": trial["label"],
                "searched": percent(trial["score"]),
                "fresh": fresh,
                "file": kilobytes(trial["bytes"]),
                "gzipped": kilobytes(trial["gzip_bytes"]),
                "arena": kilobytes(trial["arena_bytes"]),
                "latency": milliseconds(trial["latency_ms"]),
                "compute": millions(trial["macs"]),
                "front": NOTHING if words == "complete" else words,
            }
        )
    for label, reason in summary["left_out"].items():
        found.append(dict.fromkeys(COLUMNS, "") | {"trial": label, "front": f"not tried: {reason}"})
    return found


def _trials(search: StudentSearch) -> list[dict[str, Any]]:
    return [
        {
            "label": student.label,
            "settings": student.settings,
            "experiment": experiment_name(search, student),
            "third": third,
            "ended": ending(trial),
            "epochs": len(trial.intermediate_values),
            "score": trial.intermediate_values[max(trial.intermediate_values)]
            if trial.intermediate_values
            else None,
            **{
                key: value
                for key, value in asdict(search.footprints[student.label]).items()
                if key != "refused"
            },
        }
        for third, student, trial in search.tried()
    ]


def _front(search: StudentSearch) -> list[dict[str, Any]]:
    """The points, cheapest first; one may leave it once fresh seeds are known."""
    scores = {label: search.fresh_scores(label) for label in search.front()}
    means = {label: float(np.mean([*found.values()])) for label, found in scores.items() if found}
    stay = undominated({label: (search.cost(label), mean) for label, mean in means.items()})
    found = []
    for label, by_seed in scores.items():
        interval = seeds_interval([*by_seed.values()], search.params.evaluate.confidence)
        point = {
            "label": label,
            "cost": search.cost(label),
            "by_seed": {str(seed): score for seed, score in by_seed.items()},
            "mean": means.get(label),
            "interval": interval and tuple(np.clip(interval, 0.0, 1.0).tolist()),
            "stays": label in stay or not by_seed,
        }
        found.append(point)
    return found


def _chosen(search: StudentSearch, front: list[dict[str, Any]]) -> str | None:
    """The cheapest whose mean is near enough to the best; None before every seed has one."""
    wanted = len(search.fresh)
    if not front or any(len(point["by_seed"]) < wanted for point in front):
        return None
    best = max(point["mean"] for point in front)
    most = search.params.search.max_accuracy_drop
    return next(point["label"] for point in front if best - point["mean"] <= most + 1e-9)


def _sentence(
    search: StudentSearch, front: list[dict[str, Any]], chosen: str | None, *, is_whole: bool
) -> str:
    tried = f"{quantity(len(list(search.tried())), 'student')} tried"
    if not is_whole:
        return (
            f"{tried}; the time is up before the front has all its "
            f"{seeds(len(search.fresh))}: the same command goes on."
        )
    if chosen is None:
        return f"{tried}, and the front is not complete: a training broke down, see the table."
    word, write = COSTS[search.params.search.student.against]
    point = next(point for point in front if point["label"] == chosen)
    score = percent_with_range(point["mean"], point["interval"])
    return (
        f"{chosen} is the {word} of {tried} for {limits_text(search.params.search)} to the most "
        f"accurate: {write(point['cost'])}, {score} over {seeds(len(search.fresh))}."
    )
