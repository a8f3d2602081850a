"""Calibrate the exits of a model from its logits, and say what came of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.records.calibration import Calibration, ExpectedPoint, ValidationPoint
from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.evaluate import Quality
from kdtasks.core.subset import evenly_spaced
from kdtasks.edge.scores import apply_policy
from kdtasks.evaluate.exits.guarantee import guarantee
from kdtasks.evaluate.exits.rows import ExitRows, check_rows, exit_rows, fit_temperatures
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.exits.thresholds import OperatingPoint, choose_thresholds, point_at, tradeoff
from kdtasks.tasks.confusion import by_class_scores, confusion_matrix
from kdtasks.tasks.task import AGREEMENT

TRADEOFF = "cost,accuracy"
# Images of which the page shows where each leaves.
_SHOWN = 24

# Logits [N, K, classes] of the exported file, and labels [N].
Labelled = tuple[npt.ArrayLike, npt.ArrayLike]


class Tradeoff(NamedTuple):
    """The operating points that there were to choose from, the cheapest first.

    Attributes:
        points: P of them.
        early: [P], fraction of the calibration images that leave before the last exit.
        rows: integers [M], some of the images, those that the first exit is surest of first.
        left_at: uint8 [P, M], the exit where each of them leaves.
    """

    points: list[OperatingPoint]
    early: npt.NDArray[np.floating]
    rows: npt.NDArray[np.integer]
    left_at: npt.NDArray[np.uint8]


def calibrate(
    calibration: Labelled,
    validation: Labelled,
    settings: ExitsParams,
    *,
    macs: Sequence[int],
    seen_rows: int = 0,
    groups: npt.NDArray[np.integer] | None = None,
) -> tuple[Calibration, Tradeoff]:
    """Fit temperatures and choose thresholds on the calibration split.

    Args:
        calibration: the split that they are chosen on.
        validation: another one, which the choice is then scored on.
        settings: what to choose, and by which confidence.
        macs: [K], multiply-accumulates up to and including each exit.
        seen_rows, groups: of the calibration split, as for `guarantee`.

    Returns:
        what was chosen, with `guarantee` in that mode only, and what there was to choose from.

    Raises:
        CalibrationError: the arguments do not fit together, or no threshold keeps the limits.
    """

    def rows_at(temperatures: Sequence[float], split: Labelled) -> ExitRows:
        return exit_rows(*split, temperatures=temperatures, macs=macs, score=settings.score)

    checked = check_rows(*calibration)
    if settings.mode == "guarantee":
        temperatures, thresholds, promise = guarantee(
            *checked, settings, macs=macs, seen_rows=seen_rows, groups=groups
        )
        rows = rows_at(temperatures, checked)
        chosen, expected_drop = point_at(rows, thresholds), None
    else:
        temperatures, promise = fit_temperatures(*checked), None
        rows = rows_at(temperatures, checked)
        chosen, expected_drop = choose_thresholds(rows, settings, groups)
    images, exits = rows.scores.shape
    leaving = np.bincount(apply_policy(rows.scores, chosen.thresholds), minlength=exits)
    result = Calibration(
        mode=settings.mode,
        score=settings.score,
        temperatures=tuple(temperatures),
        thresholds=chosen.thresholds,
        macs=tuple(macs),
        expected=ExpectedPoint(
            accuracy=chosen.accuracy,
            cost=chosen.cost,
            exit_rate=tuple(int(count) / images for count in leaving),
        ),
        full=Quality(accuracy=int(rows.correct[:, -1].sum()) / images),
        rows=images,
        validation=_validated(validation, rows_at(temperatures, validation), chosen.thresholds),
        guarantee=promise,
        expected_drop=expected_drop,
    )
    return result, _tradeoff(rows, settings.grid)


def _tradeoff(rows: ExitRows, grid: int) -> Tradeoff:
    exits = rows.scores.shape[1]
    surest_first = np.argsort(-rows.scores[:, 0], kind="stable")
    shown = surest_first[evenly_spaced(range(len(surest_first)), _SHOWN)]
    points = tradeoff(rows, grid=grid)
    left_at = [apply_policy(rows.scores, point.thresholds) for point in points]
    return Tradeoff(
        points,
        np.array([(left < exits - 1).mean() for left in left_at]),
        shown,
        np.array([left[shown] for left in left_at], np.uint8),
    )


def _validated(split: Labelled, rows: ExitRows, thresholds: Sequence[float]) -> ValidationPoint:
    """Score chosen thresholds on a split of which nothing was chosen."""
    logits, labels = check_rows(*split)
    point, left_at = point_at(rows, thresholds), apply_policy(rows.scores, thresholds)
    answers = logits[np.arange(len(labels)), left_at].argmax(axis=1)
    by_class = by_class_scores(confusion_matrix(answers, labels, logits.shape[-1]))
    return ValidationPoint(accuracy=point.accuracy, **by_class, cost=point.cost)


def sentences(calibration: Calibration) -> list[str]:
    """Say what came of a calibration."""
    expected, full = calibration.expected, calibration.full
    if not expected or not full:
        return ["one exit a pixel, nothing to calibrate"]
    what = AGREEMENT if calibration.labels_from else "accuracy"
    lines = [
        f"{what} {expected.accuracy:.4f} at {expected.cost:.1%} of the compute "
        f"({full.accuracy:.4f} without early exits), "
        f"taken {', '.join(f'{fraction:.1%}' for fraction in expected.exit_rate)}"
    ]
    if calibration.guarantee:
        lines.append(calibration.guarantee.statement)
    return lines


def always_last_exit(compressed: Compressed) -> Calibration:
    """Give a variant that always runs the whole network a temperature of 1 and no thresholds.

    Args:
        compressed: what it was built as; its validation scores are handed on.
    """
    scores = compressed.validation.present()
    labels_from = scores.pop("labels_from", None)
    return Calibration(
        mode="none",
        score="max_probability",
        temperatures=(1.0,),
        thresholds=(),
        macs=compressed.macs[-1:],
        validation=ValidationPoint(**{name: exits[-1] for name, exits in scores.items()}, cost=1.0),
        labels_from=labels_from,
    )
