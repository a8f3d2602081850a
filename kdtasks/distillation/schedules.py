"""Numbers that change from epoch to epoch: how far training is, or how near the student has come.

Each is a function of the epoch's number and the history alone, so a run that goes on from a
checkpoint has the same numbers as one that never stopped.
"""

import math
from collections.abc import Callable

from kdtasks.distillation.step import History
from kdtasks.params.distillation import DistillParams, FractionSchedule, PositiveSchedule

Scheduled = float | FractionSchedule | PositiveSchedule


def value_at(setting: Scheduled, *, epoch: int, epochs: int, history: History) -> float:
    """Return a setting's value in an epoch: start + (end − start) · s.

    With p = (epoch − 1) / (epochs − 1), from 0 in the first epoch to 1 in the last: `linear` has
    s = p and `cosine` s = (1 − cos πp) / 2; `gap` has s = 1 − g with the gap of `open_gap`.

    `linear` from 0 to 1 for alpha is teacher annealing (Clark et al. 2019, arXiv 1907.04829).
    """
    if isinstance(setting, float | int):
        return float(setting)
    progress = (epoch - 1) / max(epochs - 1, 1)
    shares: dict[str, Callable[[], float]] = {
        "linear": lambda: progress,
        "cosine": lambda: (1.0 - math.cos(math.pi * progress)) / 2.0,
        "gap": lambda: 1.0 - open_gap(history),
    }
    return setting.start + (setting.end - setting.start) * shares[setting.schedule]()


def open_gap(history: History) -> float:
    """Return the share of the gap between teacher and student that is still open, 0 to 1.

    g = (t − max a) / (t − a₁), cut to 0 … 1: t is the share of the training labels that the teacher
    gets right, a₁ the student's training accuracy in the first epoch, max a its best so far. So g
    is 1 in the first two epochs, never grows, and is 0 from where the student has reached the
    teacher; a teacher no better than a₁ leaves no gap.
    """
    if not history:
        return 1.0
    teacher = history[-1]["teacher_agreement"]
    first, best = history[0]["accuracy"], max(record["accuracy"] for record in history)
    if teacher <= first:
        return 0.0
    return min(1.0, max(0.0, (teacher - best) / (teacher - first)))


def settled(params: DistillParams) -> DistillParams:
    """Return the distillation as it is at the end: for fine-tuning, which goes on from there.

    Schedules stand at their last value, the warm-up is over, and hints, whose projections are
    not kept with the student, are left out.
    """
    return params.model_copy(
        update={
            "alpha": _last(params.alpha),
            "temperature": _last(params.temperature),
            "dkd": params.dkd.model_copy(update={"warm_up": 0.0}),
            "hints": (),
        }
    )


def _last(setting: Scheduled) -> float:
    return float(setting) if isinstance(setting, float | int) else setting.end
