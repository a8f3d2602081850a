"""Records of a sweep, of which a test needs a few values only."""

from collections.abc import Mapping
from typing import Any

from kdtasks.core.records.evaluate import SeedScores
from kdtasks.orchestrate.sweep.label_curve import LabelCurve
from kdtasks.orchestrate.sweep.record import FailedPoint, PointSummary, SweepSummary
from kdtasks.orchestrate.sweep.results import PointResult
from kdtasks.orchestrate.sweep.statistics import Choice, PointGain


def point_result(
    student: Mapping[int, float], distilled: Mapping[int, float], **values: Any
) -> PointResult:
    """What is kept of a point with these scores by seed."""
    found: dict[str, Any] = {
        "validation": distilled,
        "teacher": 0.97,
        "rows": 360,
        "bootstrap": None,
        "labels": 900,
    }
    return PointResult(**{"student": student, "distilled": distilled} | found | values)


def scores(mean: float, interval: tuple[float, float] | None = None) -> SeedScores:
    """Scores of two seeds about a mean."""
    by_seed = {"0": mean - 0.01, "1": mean + 0.01}
    return SeedScores(by_seed=by_seed, mean=mean, interval=interval)


def point_gain(mean: float, verdict: str = "inconclusive", **values: Any) -> PointGain:
    """A gain with an interval of a point to either side."""
    found: dict[str, Any] = {
        "judged": 3,
        "mean": mean,
        "interval": (mean - 0.01, mean + 0.01),
        "bootstrap_interval": None,
        "by_seed": {},
        "verdict": verdict,
        "seeds_needed": None,
        "p_value": None,
        "adjusted_p_value": None,
    }
    return PointGain(**found | values)


def ended_point(label: str, **values: Any) -> PointSummary:
    """A point that ended well."""
    found: dict[str, Any] = {
        "label": label,
        "settings": {},
        "experiment": label,
        "teacher": 0.97,
        "teacher_lead": None,
        "rows": 360,
        "labels": 900,
        "processors": ("x",),
        "gain": point_gain(0.012),
        **dict.fromkeys(("student", "distill", "validation"), scores(0.95)),
    }
    return PointSummary(**found | values)


def failed_point(label: str, **values: Any) -> FailedPoint:
    """A point that failed."""
    return FailedPoint(**{"label": label, "settings": {}, "experiment": label} | values, failed="x")


def sweep_summary(
    *points: PointSummary | FailedPoint,
    chosen: str | None = None,
    ties: tuple[str, ...] = (),
    label_curves: tuple[LabelCurve, ...] = (),
) -> SweepSummary:
    """A sweep of three seeds."""
    return SweepSummary(
        recipe="digits",
        metric="accuracy",
        axes=(),
        seeds=(0, 1, 2),
        confidence=0.95,
        compared=len(points),
        points=points,
        chosen=Choice(label=chosen, ties=ties) if chosen else None,
        label_curves=label_curves,
    )
