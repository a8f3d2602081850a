"""Schedules against values worked by hand."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kdtasks.learn.losses.distillation.dkd import DKD
from kdtasks.learn.objectives.distillation import DistillParams, final_values
from kdtasks.learn.objectives.hints import HintParams
from kdtasks.learn.schedules import value_at
from kdtasks.learn.schedules.cosine import Cosine
from kdtasks.learn.schedules.gap import Gap, open_gap
from kdtasks.learn.schedules.linear import Linear


def history_of(accuracies: list[float], agreement: float) -> list[dict[str, float]]:
    return [{"accuracy": value, "teacher_agreement": agreement} for value in accuracies]


def test_a_constant_stays():
    assert [value_at(0.3, epoch=epoch, epochs=4, history=[]) for epoch in (1, 4)] == [0.3, 0.3]
    assert value_at(4, epoch=1, epochs=2, history=[]) == 4.0


def test_linear_by_hand():
    # Five epochs from 8 down to 2: steps of (2 − 8) / 4 = −1.5.
    setting = Linear(start=8.0, end=2.0)
    values = [value_at(setting, epoch=epoch, epochs=5, history=[]) for epoch in range(1, 6)]
    assert values == [8.0, 6.5, 5.0, 3.5, 2.0]


def test_cosine_by_hand():
    # (1 − cos πp) / 2 at p = 0, 1/3, 2/3, 1: 0, (1 − 1/2) / 2, (1 + 1/2) / 2, 1.
    setting = Cosine(start=0.0, end=1.0)
    values = [value_at(setting, epoch=epoch, epochs=4, history=[]) for epoch in range(1, 5)]
    assert values == pytest.approx([0.0, 0.25, 0.75, 1.0])


def test_a_single_epoch_has_the_start():
    setting = Linear(start=0.2, end=1.0)
    assert value_at(setting, epoch=1, epochs=1, history=[]) == 0.2


def test_gap_by_hand():
    # Teacher 0.9; student 0.5, 0.7, 0.6, 0.9, 0.95: the best so far 0.5, 0.7, 0.7, 0.9, 0.95.
    # Open: 1 before the first epoch; then (0.9 − best) / (0.9 − 0.5) = 1, 1/2, 1/2, 0, 0.
    # alpha from 0.1 to 0.9: 0.1 + 0.8 · (1 − open).
    setting = Gap(start=0.1, end=0.9)
    history = history_of([0.5, 0.7, 0.6, 0.9, 0.95], 0.9)
    values = [
        value_at(setting, epoch=done + 1, epochs=6, history=history[:done]) for done in range(6)
    ]
    assert values == pytest.approx([0.1, 0.1, 0.5, 0.5, 0.9, 0.9])


def test_a_teacher_no_better_than_the_first_epoch_leaves_no_gap():
    assert open_gap(history_of([0.6], 0.6)) == 0.0
    assert open_gap(history_of([0.6, 0.1], 0.3)) == 0.0


@given(
    accuracies=st.lists(st.floats(0, 1), min_size=1, max_size=8),
    agreement=st.floats(0, 1),
)
def test_the_gap_lies_between_0_and_1_and_never_grows(accuracies: list[float], agreement: float):
    history = history_of(accuracies, agreement)
    gaps = [open_gap(history[:done]) for done in range(len(history) + 1)]
    assert all(0.0 <= gap <= 1.0 for gap in gaps)
    assert gaps == sorted(gaps, reverse=True)


def test_fine_tuning_takes_what_is_reached_at_the_end():
    hint = HintParams(student="block_1", teacher="block_1", weight=1.0)
    params = DistillParams(
        alpha=Gap(start=0.0, end=0.8),
        temperature=Linear(start=8.0, end=1.5),
        loss=DKD(non_target_weight=2.0),
        hints=(hint,),
    )
    found = final_values(params)
    assert (found.alpha, found.temperature, found.hints) == (0.8, 1.5, ())
    assert found.loss == DKD(non_target_weight=2.0, warm_up=0.0)
    assert final_values(DistillParams(alpha=0.3, temperature=2.0)).alpha == 0.3


def test_values_out_of_a_settings_range_are_refused():
    for setting, message in (
        ({"alpha": Linear(start=0.5, end=1.5)}, "end is 1.5; allowed: 0 to 1"),
        ({"temperature": Gap(start=-1.0, end=2.0)}, "start is -1; allowed: more than 0"),
    ):
        with pytest.raises(ValidationError, match=message):
            DistillParams.model_validate(setting)


def test_a_project_adds_a_schedule(extended: Callable[[str, str], str]):
    extension = '''
        """All at once."""

        from typing import Literal

        from pydantic import Field

        from kdtasks.learn.schedules import Schedule, schedules


        @schedules.register
        class Jump(Schedule):
            """From `start` to `end` in one epoch."""

            name: Literal["jump"] = "jump"
            epoch: int = Field(description="epoch of the jump")

            def progress(self, epoch, epochs, history):
                return float(epoch >= self.epoch)
    '''
    script = """
        from kdtasks.learn.objectives.distillation import DistillationObjective, DistillParams

        jump = {"name": "jump", "start": 0.25, "end": 0.5, "epoch": 3}
        objective = DistillationObjective(DistillParams.model_validate({"alpha": jump}))
        values = [objective.epoch_values(epoch=n, epochs=9, history=[]) for n in (1, 2, 3, 9)]
        print(*[each["alpha"] for each in values])
    """
    assert extended(extension, script).split() == ["0.25", "0.25", "0.5", "0.5"]
