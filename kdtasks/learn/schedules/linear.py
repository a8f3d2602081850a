"""The same step in every epoch."""

from typing import Literal

from kdtasks.learn.schedules import History, Schedule, schedules


@schedules.register
class Linear(Schedule):
    """From `start` in the first epoch to `end` in the last in equal steps.

    From 0 to 1 for alpha it is teacher annealing (Clark et al. 2019, arXiv 1907.04829).
    """

    name: Literal["linear"] = "linear"

    def progress(self, epoch: int, epochs: int, history: History) -> float:
        return (epoch - 1) / max(epochs - 1, 1)
