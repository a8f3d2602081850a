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
from kdtasks.orchestrate.sweep.grid import Point
from kdtasks.orchestrate.sweep.label_curve import label_curves, worth_sentence
from kdtasks.orchestrate.sweep.plan import SweepPlan
from kdtasks.orchestrate.sweep.record import FailedPoint, PointSummary, SweepSummary, SweptAxis
from kdtasks.orchestrate.sweep.results import PointResult
from kdtasks.orchestrate.sweep.statistics import Choice, best_point, point_gains
from kdtasks.report.sentences import verdict

IN_HEADLINE = 4  # points of a label curve at most
TOLD = (StageState.COMPLETED, StageState.PULLED, StageState.FAILED)  # of the stages of a point


COLUMNS = (
    "point", "validation", "student alone", "distilled", "gain, points", "interval", "p, Holm",
    "verdict",
)  # fmt: skip


def table_rows(summary: SweepSummary) -> list[dict[str, str]]:
    """The points of a sweep as rows of texts, by column."""
    return [dict(zip(COLUMNS, _cells(point), strict=True)) for point in summary.points]


def _cells(point: PointSummary | FailedPoint) -> tuple[str, ...]:
    if isinstance(point, FailedPoint):
        return point.label, *[NOTHING] * (len(COLUMNS) - 2), f"failed: {point.failed}"
    gain = point.gain
    means = (value.mean for value in (point.validation, point.student, point.distill))
    return (
        point.label,
        *map(percent, means),
        in_points(gain.mean),
        in_points(*gain.interval or ()),
        p_text(gain.adjusted_p_value),
        verdict(gain.verdict, gain.seeds_needed),
    )


def summarise(plan: SweepPlan[PointResult], end: SweepEnd) -> SweepSummary:
    """Say what came out (docs/sweep.md); nothing in it depends on the clock."""
    first = plan.points[0].params
    confidence = first.evaluate.confidence
    results = {
        point.label: end.results[point.experiment]
        for point in plan.points
        if point.experiment in end.results
    }
    gains = point_gains(results, compared=len(plan.points), confidence=confidence)

    def summary_of(point: Point) -> PointSummary | FailedPoint:
        label = point.label
        if label not in results:
            return FailedPoint(**point.about, failed=end.outcomes[label].reason(label))
        result = results[label]
        return PointSummary(
            **point.about,
            teacher=result.teacher,
            teacher_lead=result.teacher_lead,
            rows=result.rows,
            labels=result.labels,
            processors=result.processors,
            gain=gains[label],
            student=over_seeds(result.student, confidence),
            distill=over_seeds(result.distilled, confidence),
            validation=over_seeds(result.validation, confidence),
        )

    return SweepSummary(
        recipe=first.recipe,
        metric=first.metric.name,
        axes=tuple(SweptAxis(key=axis.key, values=axis.values) for axis in plan.grid.axes),
        seeds=first.seeds,
        confidence=confidence,
        compared=len(plan.points),
        points=tuple(map(summary_of, plan.points)),
        chosen=best_point(results),
        label_curves=tuple(label_curves(plan.grid, plan.points, results, confidence)),
    )


def headline(summary: SweepSummary) -> str:
    """Say in one or two sentences what came out; what could not be told is said too."""
    best = chosen(summary, summary.chosen) if summary.chosen else None
    curves = summary.label_curves
    # what is longer, the page tells beside the image
    is_short = len(curves) == 1 and len(curves[0].worth) <= IN_HEADLINE
    worth = worth_sentence(curves[0].worth) if is_short else None
    mixed = mixed_processors(summary)
    return " ".join(filter(None, (poor_teachers(summary), worth, found(summary), best, mixed)))


def found(summary: SweepSummary) -> str:
    """Count the points where distillation helps, hurts, is inconclusive, or that failed."""
    count = Counter(point.gain.verdict for point in summary.ended.values())
    failed = summary.compared - len(summary.ended)
    effects = [f"{verdict} at {count[verdict]}" for verdict in ("helps", "hurts") if count[verdict]]
    parts = [
        f"distillation {' and '.join(effects)}" if effects else "none shows an effect",
        *([f"{count['inconclusive']} inconclusive"] if count["inconclusive"] else []),
        *([f"{failed} failed"] if failed else []),
    ]
    of_all = f"Of {quantity(summary.compared, 'point')} with {seeds(len(summary.seeds))} each"
    return f"{of_all}, {', '.join(parts)}."


def chosen(summary: SweepSummary, choice: Choice) -> str:
    """Name the point that validation chooses, and what it gained on the test split."""
    point = summary.ended[choice.label]
    gain = point.gain
    interval = f" ({points_range(gain.interval)})" if gain.interval else ""
    test = f"gain on the test split is {points(gain.mean)}{interval}, {gain.verdict}."
    if len(summary.points) == 1:
        return f"Its {test}"
    ties = f", as are {len(choice.ties)} more" if choice.ties else ""
    accuracy = percent(point.validation.mean)
    return f"Best on validation{ties}: {point.label} ({accuracy}); there the {test}"


def in_points(*differences: float) -> str:
    """Write differences of fractions in percentage points, joined by `to`: −0.4 to +1.0."""
    texts = [points(value).removesuffix(f"{SPACE}points") for value in differences]
    return " to ".join(texts) or NOTHING


def p_text(value: float | None) -> str:
    """Write a p-value: 0.034, < 0.001; a dash where there is none."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def poor_teachers(summary: SweepSummary) -> str | None:
    """Name the points whose teacher is worse than the student from scratch, paired over images."""
    ended = summary.ended.values()
    poor = [point.label for point in ended if point.teacher_lead and point.teacher_lead[1] < 0]
    if not poor:
        return None
    where = f"At {'; '.join(poor)}"
    if len(poor) == len(ended):
        where = "At every point"
    return f"{where} the teacher is worse than the student from scratch."


def mixed_processors(summary: SweepSummary) -> str | None:
    """Name which points ran on which processors, where the kinds differ: last bits do as well."""
    labels: dict[str, list[str]] = {}
    for point in summary.ended.values():
        labels.setdefault(" and ".join(point.processors), []).append(point.label)
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
        events, offset = (
            run_events(self._plan.project_folder(node.name)),
            self._offsets.get(node.name, 0),
        )
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
