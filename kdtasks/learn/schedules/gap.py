"""As the student comes nearer to the teacher."""

from typing import Literal

from kdtasks.learn.schedules import History, Schedule, schedules


@schedules.register
class Gap(Schedule):
    """From `start` to `end`, which is reached once the student is as accurate as the teacher.

    Both are measured on the training images. In between goes the fraction of their gap in the
    first epoch that is closed.
    """

    name: Literal["gap"] = "gap"

    def progress(self, epoch: int, epochs: int, history: History) -> float:
        return 1.0 - open_gap(history)


def open_gap(history: History) -> float:
    """Return the fraction of the gap between teacher and student that is still open, 0 to 1.

    g = (t − max a) / (t − a₁), cut to 0 … 1: t is the fraction of the training labels that the
    teacher gets right, a₁ the student's training accuracy in the first epoch, max a its best so
    far. So g is 1 in the first two epochs, never grows, and is 0 from where the student has reached
    the teacher; a teacher no better than a₁ leaves no gap.
    """
    if not history:
        return 1.0
    teacher = history[-1]["teacher_agreement"]
    first, best = history[0]["accuracy"], max(record["accuracy"] for record in history)
    if teacher <= first:
        return 0.0
    return min(1.0, max(0.0, (teacher - best) / (teacher - first)))
