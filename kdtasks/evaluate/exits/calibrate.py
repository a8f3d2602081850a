"""Calibrate the exits of a model from its logits, and say what came of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from kdtasks.core.files import write_text
from kdtasks.core.settings import Fraction, Index, OpenFraction, Section
from kdtasks.edge.scores import apply_policy
from kdtasks.evaluate.exits.guarantee import Risk, guarantee
from kdtasks.evaluate.exits.rows import check_rows, exit_rows, fit_temperatures
from kdtasks.evaluate.exits.search import outcomes_of
from kdtasks.evaluate.exits.thresholds import Point, choose, never_leave_early, point_at, tradeoff


class ExitsParams(Section):
    """How thresholds of early exits are chosen on the calibration split."""

    mode: Literal["drop", "cost", "guarantee"] = Field(
        default="drop",
        description="`drop`: least compute within `max_accuracy_drop`; `cost`: best accuracy "
        "within `max_cost`; `guarantee`: least compute with `risk` certified to be at most "
        "`epsilon` (docs/exits.md)",
    )
    max_accuracy_drop: Fraction = Field(
        default=0.01,
        description="accuracy that may be lost to early exits, as a share (0.01 = 1 %)",
    )
    max_cost: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.5, description="mean compute allowed, as a share of the whole network's MACs"
    )
    risk: Literal["consistency", "accuracy_gap"] = Field(
        default="consistency",
        description="what `guarantee` bounds: `consistency`: share of pictures with another "
        "answer than the last exit's; `accuracy_gap`: accuracy lost against the last exit",
    )
    epsilon: OpenFraction = Field(
        default=0.02, description="bound of `guarantee` on the mean risk, as a share (0.02 = 2 %)"
    )
    delta: OpenFraction = Field(
        default=0.1, description="probability with which `guarantee` may break its bound"
    )
    seed: Index = Field(
        default=0, description="seed of the halves that `guarantee` splits the rows in"
    )
    score: Literal["max_probability", "margin", "entropy", "energy"] = Field(
        default="max_probability", description="confidence of an exit, after temperature scaling"
    )
    grid: Annotated[int, Field(ge=2, le=1001)] = Field(
        default=201, description="thresholds tried for each exit"
    )


def calibrate(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    macs: Sequence[int],
    mode: Literal["drop", "cost", "guarantee"],
    max_accuracy_drop: float = 0.01,
    max_cost: float = 1.0,
    risk: Risk = "consistency",
    epsilon: float = 0.02,
    delta: float = 0.1,
    seed: int = 0,
    seen_rows: int = 0,
    score: str = "max_probability",
    grid: int = 201,
) -> tuple[dict[str, Any], list[Point]]:
    """Fit temperatures and choose thresholds on the calibration split.

    Args:
        logits: [N, K, classes] of the exported file.
        labels: integers [N].
        macs: [K], multiply-accumulates up to and including each exit.
        mode: `guarantee`, or as for `choose`.
        max_accuracy_drop, max_cost, grid: as for `choose`.
        risk, epsilon, delta, seed, seen_rows: as for `guarantee`.
        score: name of the confidence, a key of `SCORES`.

    Returns:
        the content of `calibration.json`, whose key `guarantee` is there in that mode only, and
        the points of `tradeoff.csv`.

    Raises:
        CalibrationError: the arguments do not fit together, or no threshold keeps the limits.
    """
    checked, classes = check_rows(logits, labels)
    if mode == "guarantee":
        temperatures, thresholds, record = guarantee(
            checked,
            classes,
            macs=macs,
            risk=risk,
            epsilon=epsilon,
            delta=delta,
            seed=seed,
            seen_rows=seen_rows,
            score=score,
            grid=grid,
        )
        rows = exit_rows(checked, classes, temperatures=temperatures, macs=macs, score=score)
        chosen, promised = point_at(rows, thresholds), {"guarantee": record}
    else:
        temperatures = fit_temperatures(checked, classes)
        rows = exit_rows(checked, classes, temperatures=temperatures, macs=macs, score=score)
        limits = {"max_accuracy_drop": max_accuracy_drop, "max_cost": max_cost}
        chosen, promised = choose(rows, mode=mode, grid=grid, **limits), {}
    pictures, exits = rows.scores.shape
    taken = np.bincount(apply_policy(rows.scores, chosen.thresholds), minlength=exits)
    content = {
        "mode": mode,
        "score": score,
        "temperatures": temperatures,
        "thresholds": list(chosen.thresholds),
        "macs": [int(count) for count in rows.macs],
        "expected": {
            "accuracy": chosen.accuracy,
            "cost": chosen.cost,
            "taken": [int(count) / pictures for count in taken],
        },
        "full": {"accuracy": never_leave_early(rows).accuracy},
        "rows": pictures,
        **promised,
    }
    return content, tradeoff(rows, grid=grid)


def judge(
    calibration: dict[str, Any], logits: npt.ArrayLike, labels: npt.ArrayLike
) -> dict[str, float]:
    """Apply chosen temperatures and thresholds to rows that they were not chosen on.

    Args:
        calibration: what `calibrate` returned.
        logits: [N, K, classes] of the exported file.
        labels: integers [N].

    Returns:
        `accuracy`, and `cost` as a share of the whole network's multiply-accumulates.
    """
    macs = calibration["macs"]
    rows = exit_rows(
        logits,
        labels,
        temperatures=calibration["temperatures"],
        macs=macs,
        score=calibration["score"],
    )
    outcome = outcomes_of(rows, [calibration["thresholds"]])
    pictures = len(rows.scores)
    return {
        "accuracy": int(outcome.correct[0]) / pictures,
        "cost": int(outcome.macs[0]) / (pictures * macs[-1]),
    }


def sentences(calibration: dict[str, Any]) -> list[str]:
    """Say what came of a calibration, refused ones included."""
    if "refused" in calibration:
        return [f"not calibrated, the other variants go on: {calibration['refused']}"]
    if calibration["mode"] == "none":
        return ["one exit a pixel, nothing to calibrate"]
    expected = calibration["expected"]
    found = [
        f"accuracy {expected['accuracy']:.4f} at {expected['cost']:.1%} of the compute "
        f"({calibration['full']['accuracy']:.4f} without early exits), "
        f"taken {', '.join(f'{share:.1%}' for share in expected['taken'])}"
    ]
    if "guarantee" in calibration:
        found.append(calibration["guarantee"]["statement"])
    return found


def write_tradeoff(path: Path, points: Sequence[Point]) -> None:
    """Write `tradeoff.csv`: one line a point, cheapest first; only the header for no points."""
    lines = [f"{point.cost!r},{point.accuracy!r}\n" for point in points]
    write_text(path, "cost,accuracy\n" + "".join(lines))


def uncalibrated(compressed: Mapping[str, Any]) -> dict[str, Any]:
    """Build `calibration.json` of a variant that always runs the whole network.

    Arguments:
        compressed: content of `metrics/compress/<variant>.json`.

    Returns:
        mode `none`, a temperature of 1, no thresholds, and the `validation` figures of the
        exported file.
    """
    validation = {name: exits[-1] for name, exits in compressed["validation"].items()}
    return {
        "mode": "none",
        "score": "max_probability",
        "temperatures": [1.0],
        "thresholds": [],
        "macs": compressed["macs"][-1:],
        "validation": {**validation, "cost": 1.0},
    }
