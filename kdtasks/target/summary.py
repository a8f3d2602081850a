"""What came out of a search, as it is written to target.json and shown on its page."""

import json
from collections.abc import Mapping
from typing import Any

from kdtasks.report.selection import Excess
from kdtasks.runner.outcome import Outcome, State
from kdtasks.runner.wording import quantity
from kdtasks.target.engine import TargetEngine
from kdtasks.target.plan import TargetPlan
from kdtasks.target.wording import limits_text


def summarise(
    plan: TargetPlan, engine: TargetEngine, outcomes: Mapping[str, Outcome]
) -> dict[str, Any]:
    """Build the content of target.json (docs/compression.md)."""
    trials = []
    broken: dict[str, list[Excess]] = {}
    for point in plan.sweep.points:
        outcome = outcomes[point.label]
        about = {
            "label": point.label,
            "settings": point.settings,
            "experiment": point.experiment,
        }
        result = engine.result(point.label)
        if result is None or not outcome.is_up_to_date:
            word = "left_out" if outcome.message and outcome.state is State.SKIPPED else "failed"
            message = outcome.message.removeprefix(f"{point.label}: ") or str(outcome.state)
            trials.append({**about, word: message})
            continue
        broken[point.label] = engine.broken(point.label) or []
        reasons = [excess.reason for excess in broken[point.label]]
        trials.append({**about, **result._asdict(), "broken": reasons})
    nearest = None if engine.winner else _nearest(broken)
    return {
        "recipe": plan.recipe,
        "limits": plan.limits.model_dump(mode="json", exclude={"minutes"}),
        "trials": trials,
        "winner": engine.winner,
        "nearest": nearest,
        "sentence": _sentence(plan, engine.winner, nearest, broken),
        "adopt": _adoption(plan, engine.winner or nearest),
    }


def _nearest(broken: Mapping[str, list[Excess]]) -> str | None:
    """The trial whose worst broken limit is broken least; None where all were refused."""
    worst = {label: max(excess.factor for excess in found) for label, found in broken.items()}
    label = min(worst, key=lambda label: worst[label], default=None)
    return None if label is None or worst[label] == float("inf") else label


def _sentence(
    plan: TargetPlan,
    winner: str | None,
    nearest: str | None,
    broken: Mapping[str, list[Excess]],
) -> str:
    tried = f"{quantity(len(broken), 'variant')} tried for {limits_text(plan.limits)}"
    if winner:
        return f"{winner} is within all limits: the cheapest of {tried}."
    if not broken:
        return "No variant was tried; the reasons stand beside them."
    if nearest is None:
        return f"None of {tried} could be built."
    ways = " and ".join(excess.reason for excess in broken[nearest])
    keys = " and ".join(f"compress.target.{excess.limit}" for excess in broken[nearest])
    return (
        f"None of {tried} is within all limits. {nearest} comes nearest: its {ways}. "
        f"Raise {keys}, give more minutes where trials were left out for time, or train longer."
    )


def _adoption(plan: TargetPlan, label: str | None) -> list[str]:
    """How to bring a trial into the project: by params.yaml, or by a command."""
    if label is None:
        return []
    point = next(point for point in plan.sweep.points if point.label == label)
    settings = [
        f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in point.settings.items()
    ]
    return [f"in params.yaml {'; '.join(settings)}", f"or dvc exp apply {point.experiment}"]
