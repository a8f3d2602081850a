"""The numbers of a sweep, as they are written to sweep.json and shown on its page."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdtasks.core.events import StageEvent, tail
from kdtasks.core.text import (
    NOTHING,
    SPACE,
    duration,
    percent,
    points,
    points_range,
    quantity,
    seeds,
)
from kdtasks.evaluate.comparison import over_seeds
from kdtasks.orchestrate.runner.describe import closing
from kdtasks.orchestrate.runner.files import run_events
from kdtasks.orchestrate.runner.graph import Outcome, StageGraph, StageNode, StageState
from kdtasks.orchestrate.runner.lines import LinesReporter
from kdtasks.orchestrate.sweep.engine import SweepEnd
from kdtasks.orchestrate.sweep.label_curve import curves_of, label_curves, worth_sentence
from kdtasks.orchestrate.sweep.plan import SweepPlan
from kdtasks.orchestrate.sweep.results import PointResult
from kdtasks.orchestrate.sweep.statistics import best_point, point_gains
from kdtasks.report.sentences import verdict

IN_HEADLINE = 4  # points of a label curve at most
TOLD = (StageState.COMPLETED, StageState.PULLED, StageState.FAILED)  # of the stages of a point


def table_rows(summary: dict[str, Any]) -> list[dict[str, str]]:
    """The points of a sweep as rows of texts, by column."""
    return list(map(_row, summary["points"]))


def _row(point: dict[str, Any]) -> dict[str, str]:
    gain = point.get("gain", {})
    means = {key: point.get(key, {}).get("mean") for key in ("validation", "student", "distill")}
    interval = gain.get("interval") or ()
    return {
        "point": point["label"],
        "validation": percent(means["validation"]),
        "student alone": percent(means["student"]),
        "distilled": percent(means["distill"]),
        "gain, points": in_points(*([gain["mean"]] if gain else [])),
        "interval": in_points(*interval),
        "p, Holm": p_text(gain.get("adjusted_p_value")),
        "verdict": verdict(gain["verdict"], gain["seeds_needed"])
        if gain
        else f"failed: {point['failed']}",
    }


def summarise(plan: SweepPlan[PointResult], end: SweepEnd) -> dict[str, Any]:
    """Build the content of sweep.json (docs/sweep.md); nothing in it depends on the clock."""
    first = plan.points[0].params
    confidence = first.evaluate.confidence
    results = {
        point.label: end.results[point.experiment]
        for point in plan.points
        if point.experiment in end.results
    }
    gains = point_gains(results, compared=len(plan.points), confidence=confidence)
    choice = best_point(results)

    def content(label: str) -> dict[str, Any]:
        if label not in results:
            outcome = end.outcomes[label]
            return {"failed": outcome.message.removeprefix(f"{label}: ") or str(outcome.state)}
        result, keys = results[label], {"by_seed", "mean", "interval"}
        by_seed = {
            "student": result.student,
            "distill": result.distilled,
            "validation": result.validation,
        }
        return {
            "teacher": result.teacher,
            "teacher_lead": result.teacher_lead,
            "rows": result.rows,
            "labels": result.labels,
            "processors": list(result.processors),
            "gain": gains[label].model_dump(mode="json"),
            **{
                name: over_seeds(scores, confidence).model_dump(mode="json", include=keys)
                for name, scores in by_seed.items()
            },
        }

    curves = label_curves(plan.grid, plan.points, results, confidence)
    return {
        "recipe": first.recipe,
        "metric": first.metric.name,
        "axes": [{"key": axis.key, "values": list(axis.values)} for axis in plan.grid.axes],
        "seeds": list(first.seeds),
        "confidence": confidence,
        "compared": len(plan.points),
        "points": [{**point.about, **content(point.label)} for point in plan.points],
        "chosen": choice and choice._asdict(),
        "label_curves": [curve.model_dump(mode="json") for curve in curves],
    }


def headline(summary: dict[str, Any]) -> str:
    """Say in one or two sentences what came out; what could not be told is said too."""
    best = chosen(summary) if summary["chosen"] else None
    curves = curves_of(summary)
    # what is longer, the page tells beside the image
    is_short = len(curves) == 1 and len(curves[0].worth) <= IN_HEADLINE
    worth = worth_sentence(curves[0].worth) if is_short else None
    mixed = mixed_processors(summary)
    return " ".join(filter(None, (poor_teachers(summary), worth, found(summary), best, mixed)))


def found(summary: dict[str, Any]) -> str:
    """Count the points where distillation helps, hurts, is inconclusive, or that failed."""
    count = Counter(
        point["gain"]["verdict"] if "gain" in point else "failed" for point in summary["points"]
    )
    effects = [f"{verdict} at {count[verdict]}" for verdict in ("helps", "hurts") if count[verdict]]
    parts = [
        f"distillation {' and '.join(effects)}" if effects else "none shows an effect",
        *([f"{count['inconclusive']} inconclusive"] if count["inconclusive"] else []),
        *([f"{count['failed']} failed"] if count["failed"] else []),
    ]
    of_all = f"Of {quantity(summary['compared'], 'point')} with {seeds(len(summary['seeds']))} each"
    return f"{of_all}, {', '.join(parts)}."


def chosen(summary: dict[str, Any]) -> str:
    """Name the point that validation chooses, and what it gained on the test split."""
    choice = summary["chosen"]
    point = next(point for point in summary["points"] if point["label"] == choice["label"])
    gain = point["gain"]
    interval = f" ({points_range(gain['interval'])})" if gain["interval"] else ""
    test = f"gain on the test split is {points(gain['mean'])}{interval}, {gain['verdict']}."
    if len(summary["points"]) == 1:
        return f"Its {test}"
    ties = f", as are {len(choice['ties'])} more" if choice["ties"] else ""
    accuracy = percent(point["validation"]["mean"])
    return f"Best on validation{ties}: {point['label']} ({accuracy}); there the {test}"


def in_points(*differences: float) -> str:
    """Write differences of fractions in percentage points, joined by `to`: −0.4 to +1.0."""
    texts = [points(value).removesuffix(f"{SPACE}points") for value in differences]
    return " to ".join(texts) or NOTHING


def p_text(value: float | None) -> str:
    """Write a p-value: 0.034, < 0.001; a dash where there is none."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def poor_teachers(summary: dict[str, Any]) -> str | None:
    """Name the points whose teacher is worse than the student from scratch, paired over images."""
    compared = [point for point in summary["points"] if "gain" in point]
    poor = [point for point in compared if (lead := point["teacher_lead"]) and lead[1] < 0]
    if not poor:
        return None
    where = f"At {'; '.join(point['label'] for point in poor)}"
    if len(poor) == len(compared):
        where = "At every point"
    return f"{where} the teacher is worse than the student from scratch."


def mixed_processors(summary: dict[str, Any]) -> str | None:
    """Name which points ran on which processors, where the kinds differ: last bits do as well."""
    labels: dict[str, list[str]] = {}
    for point in summary["points"]:
        if kinds := point.get("processors"):
            labels.setdefault(" and ".join(kinds), []).append(point["label"])
    if len(labels) < 2 and not any(" and " in kinds for kinds in labels):
        return None
    parts = "; ".join(f"{', '.join(points)} on {kinds}" for kinds, points in labels.items())
    return f"Processors differ, and with them the last bits of results: {parts}."


class SweepProgress(LinesReporter):
    """Prints a line when a point begins or ends, and one for every stage that ran in it."""

    def __init__(self, plan: SweepPlan[Any], logs: Path) -> None:
        """Args: `logs` is the folder of the points' output."""
        super().__init__(workers=plan.workers, cores=plan.cores, logs=logs)
        self._plan = plan
        self._offsets: dict[str, int] = {}  # of the events that were read, by name of the node

    def begin(self, graph: StageGraph) -> None:
        """Print how much there is to do, and with what."""
        for line in introduction(self._plan):
            self._print(line)

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Print where to read about failures, and counts."""
        self._print_failures(outcomes)
        points = [outcome for name, outcome in outcomes.items() if self._plan.jobs[name].is_point]
        self._print(closing(points, time.monotonic() - self._begun, "point"))

    def _print_line(self, node: StageNode, line: str) -> None:
        """Whatever the run of a point prints, print which of its stages have ended since."""
        events, offset = run_events(self._plan.place(node.name)), self._offsets.get(node.name, 0)
        found, self._offsets[node.name] = tail(events, offset)
        for event in found:
            if isinstance(event, StageEvent) and event.state in TOLD:
                taken = duration(event.seconds or 0.0)
                self._print(f"{node.name} | {event.name}: {event.state} in {taken}")

    def _print_end(self, node: StageNode, outcome: Outcome) -> None:
        if outcome.state is not StageState.CACHED:
            message = outcome.message.removeprefix(f"{node.name}: ")
            super()._print_end(node, outcome._replace(digest="", message=message))


def introduction(plan: SweepPlan[Any]) -> list[str]:
    """Say how much there is to do, and with what."""
    done, total = len(plan.done), len(plan.points)
    seeds = quantity(len(plan.points[0].params.seeds), "seed")
    left = f"{total - done} to run" if done < total else "nothing to run"
    where = plan.where or quantity(plan.cores, "core")
    at_once = f", {plan.workers} at once on {where}" * (done < total)
    first = f"{quantity(total, 'point')} of {seeds} each: {done} done already, {left}{at_once}"
    return [first, *([plan.note] if plan.note else [])]
