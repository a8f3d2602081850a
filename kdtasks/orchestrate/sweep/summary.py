"""The figures of a sweep, as they are written to sweep.json and shown on its page."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
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
from kdtasks.evaluate.intervals import Interval
from kdtasks.orchestrate.runner.describe import counts, failures
from kdtasks.orchestrate.runner.events import run_events
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageGraph, StageNode, State
from kdtasks.orchestrate.runner.lines import LastingOutput
from kdtasks.orchestrate.sweep.engine import SweepEnd
from kdtasks.orchestrate.sweep.grid import Point
from kdtasks.orchestrate.sweep.plan import SweepPlan
from kdtasks.orchestrate.sweep.results import PointResult
from kdtasks.orchestrate.sweep.statistics import (
    Judgement,
    accuracy_interval,
    choose,
    judge_points,
    mean,
)
from kdtasks.report.sentences import verdict

TOLD = (State.COMPLETED, State.PULLED, State.FAILED)  # of the stages of a point


def table_rows(summary: dict[str, Any]) -> list[dict[str, str]]:
    """The points of a sweep as rows of texts, by column."""
    return [_row(point) for point in summary["points"]]


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
        point.experiment: end.results[point.experiment]
        for point in plan.points
        if point.experiment in end.results
    }
    judged = judge_points(results, compared=len(plan.points), confidence=confidence)
    choice = choose(results)
    labels = {point.experiment: point.label for point in plan.points}
    return {
        "recipe": first.recipe,
        "axes": [{"key": axis.key, "values": list(axis.values)} for axis in plan.grid.axes],
        "seeds": list(first.seeds),
        "confidence": confidence,
        "compared": len(plan.points),
        "points": [
            _point(point, results, judged, end.outcomes, confidence) for point in plan.points
        ],
        "chosen": {"label": labels[choice.name], "ties": [labels[name] for name in choice.ties]}
        if choice
        else None,
    }


def _point(
    point: Point,
    results: Mapping[str, PointResult],
    judged: Mapping[str, Judgement],
    outcomes: Mapping[str, Outcome],
    confidence: float,
) -> dict[str, Any]:
    about = {"label": point.label, "settings": point.settings, "experiment": point.experiment}
    if point.experiment not in results:
        outcome = outcomes[point.label]
        text = outcome.message.removeprefix(f"{point.label}: ")
        return {**about, "failed": text or str(outcome.state)}
    result, judgement = results[point.experiment], judged[point.experiment]
    gain = judgement.gain
    return {
        **about,
        "teacher": result.teacher,
        "rows": result.rows,
        "student": _over_seeds(result.student, confidence),
        "distill": _over_seeds(result.distilled, confidence),
        "validation": _over_seeds(result.validation, confidence),
        "gain": {
            "by_seed": {str(seed): value for seed, value in gain.by_seed.items()},
            "mean": gain.mean,
            "interval": _as_list(gain.interval),
            "bootstrap_interval": _as_list(result.bootstrap),
            "p_value": judgement.p_value,
            "adjusted_p_value": judgement.adjusted,
            "verdict": judgement.verdict,
            "seeds_needed": judgement.seeds_needed,
        },
    }


def _over_seeds(by_seed: Mapping[int, float], confidence: float) -> dict[str, Any]:
    return {
        "by_seed": {str(seed): value for seed, value in by_seed.items()},
        "mean": mean(by_seed),
        "interval": _as_list(accuracy_interval(by_seed, confidence)),
    }


def _as_list(interval: Interval | None) -> list[float] | None:
    return list(interval) if interval else None


def headline(summary: dict[str, Any]) -> str:
    """Say in one or two sentences what came out; what could not be told is said too."""
    warning = poor_teachers(summary)
    sentences = [warning, found(summary), chosen(summary) if summary["chosen"] else None]
    return " ".join(sentence for sentence in sentences if sentence)


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


def in_points(*shares: float) -> str:
    """Write differences of shares in percentage points, joined by `to`: −0.4 to +1.0."""
    texts = [points(share).removesuffix(f"{SPACE}points") for share in shares]
    return " to ".join(texts) or NOTHING


def p_text(value: float | None) -> str:
    """Write a p-value: 0.034, < 0.001; a dash where there is none."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def poor_teachers(summary: dict[str, Any]) -> str | None:
    """Name the points whose teacher is worse than the student from scratch; None if none is."""
    compared = [point for point in summary["points"] if "gain" in point]
    poor = [point for point in compared if point["teacher"] < point["student"]["mean"]]
    if not poor:
        return None
    where = (
        "At every point"
        if len(poor) == len(compared)
        else f"At {'; '.join(p['label'] for p in poor)}"
    )
    return f"{where} the teacher is less accurate than the student from scratch."


class SweepProgress:
    """Prints a line when a point begins or ends, and one for every stage that ran in it."""

    def __init__(self, plan: SweepPlan[Any], logs: Path) -> None:
        """Arguments: `logs` is the folder of the points' output."""
        self._plan, self._logs = plan, logs
        self._output = LastingOutput()
        self._one_line = threading.Lock()
        self._begun = time.monotonic()

    def begin(self, graph: StageGraph) -> None:
        """Print how much there is to do, and with what."""
        for line in introduction(self._plan):
            self._print(line)

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        """Follow a point, or what several share."""
        events, offset, is_running = run_events(self._plan.place(node.name)), 0, False

        def on_line(line: str) -> None:
            nonlocal offset, is_running
            if not is_running:
                self._print(f"{node.name}: {State.RUNNING}")
            is_running = True
            found, offset = tail(events, offset)
            for event in found:
                if isinstance(event, StageEvent) and event.state in TOLD:
                    taken = duration(event.seconds or 0.0)
                    self._print(f"{node.name} | {event.name}: {event.state} in {taken}")

        outcome = work(on_line)
        self._tell(node, outcome)
        return outcome

    def _tell(self, node: StageNode, outcome: Outcome) -> None:
        match outcome.state:
            case State.CACHED:
                pass
            case State.COMPLETED:
                self._print(f"{node.name}: {outcome.state} in {duration(outcome.seconds)}")
            case State.FAILED:
                reason = outcome.message.removeprefix(f"{node.name}: ")
                self._print(f"{node.name}: failed, {reason}")
            case _:
                self._print(f"{node.name}: {outcome.state}")

    def leave_out(self, node: StageNode, outcome: Outcome) -> None:
        """Print why a point does not run."""
        self._print(f"{node.name}: {outcome.state}, {outcome.message}")

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Print where to read about failures, and counts."""
        for failure in failures(outcomes, self._logs):
            self._print(failure)
        states = [
            outcome.state for name, outcome in outcomes.items() if self._plan.jobs[name].is_point
        ]
        taken = duration(time.monotonic() - self._begun)
        self._print(f"{quantity(len(states), 'point')} in {taken}: {counts(states)}")

    def _print(self, text: str) -> None:
        with self._one_line:
            self._output.print(text)


def introduction(plan: SweepPlan[Any]) -> list[str]:
    """Say how much there is to do, and with what."""
    done, total = len(plan.done), len(plan.points)
    seeds = quantity(len(plan.points[0].params.seeds), "seed")
    left = f"{total - done} to run" if done < total else "nothing to run"
    at_once = f", {plan.workers} at once on {quantity(plan.cores, 'core')}" * (done < total)
    first = f"{quantity(total, 'point')} of {seeds} each: {done} done already, {left}{at_once}"
    return [first, *([plan.note] if plan.note else [])]
