"""The figures of a sweep, as they are written to sweep.json and shown on its page."""

from collections.abc import Mapping
from typing import Any

from kdtasks.evaluation.intervals import Interval
from kdtasks.runner.outcome import Outcome
from kdtasks.sweep.execute import SweepEnd
from kdtasks.sweep.plan import SweepPlan
from kdtasks.sweep.point import Point
from kdtasks.sweep.results import PointResult
from kdtasks.sweep.statistics import Judgement, accuracy_interval, choose, judge_points, mean


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
            "bootstrap_interval": list(result.bootstrap),
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
