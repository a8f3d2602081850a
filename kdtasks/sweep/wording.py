"""What a sweep shows, in sentences."""

from collections import Counter
from typing import Any

from kdtasks.report.wording import NOTHING, SPACE, percent, points, points_range, seeds
from kdtasks.runner.wording import quantity


def headline(summary: dict[str, Any]) -> str:
    """Say in one or two sentences what came out; what could not be told is said too."""
    warning = poor_teachers(summary)
    sentences = [warning, found(summary), chosen(summary) if summary["chosen"] else None]
    return " ".join(sentence for sentence in sentences if sentence)


def found(summary: dict[str, Any]) -> str:
    """Say how many points show that distillation helps or hurts, cannot tell, failed."""
    count = Counter(
        point["gain"]["verdict"] if "gain" in point else "failed" for point in summary["points"]
    )
    effects = [f"{verdict} at {count[verdict]}" for verdict in ("helps", "hurts") if count[verdict]]
    parts = [
        f"distillation {' and '.join(effects)}" if effects else "none shows an effect",
        *([f"{count['cannot tell']} cannot tell"] if count["cannot tell"] else []),
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
