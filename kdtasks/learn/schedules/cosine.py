"""Slowly at both ends."""

import math
from typing import Literal

from kdtasks.learn.schedules import History, Schedule, schedules


@schedules.register
class Cosine(Schedule):
    """From `start` in the first epoch to `end` in the last along half a wave, (1 − cos πp) / 2."""

    name: Literal["cosine"] = "cosine"

    def progress(self, epoch: int, epochs: int, history: History) -> float:
        return (1.0 - math.cos(math.pi * ((epoch - 1) / max(epochs - 1, 1)))) / 2.0
