"""A training that was interrupted ends like one that never was."""

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kdtasks.learn.losses.distillation.dkd import DKD
from kdtasks.learn.objectives.distillation import (
    DistillationObjective,
    DistillParams,
    ExitTeachingParams,
)
from kdtasks.learn.objectives.hints import HintParams
from kdtasks.learn.schedules.cosine import Cosine
from kdtasks.learn.schedules.gap import Gap
from kdtasks.learn.training.checkpoint import Checkpoint
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.loop import TrainingSchedule
from kdtasks.learn.training.step import OptimizerParams

Run = Callable[..., Any]


def shared(schedule: TrainingSchedule, **params: Any) -> TrainingSchedule:
    """The schedule with other params of those that all trainings share."""
    return dataclasses.replace(schedule, params=schedule.params.model_copy(update=params))


EVERYTHING = DistillParams(
    alpha=Gap(start=0.0, end=0.9),
    temperature=Cosine(start=6.0, end=1.0),
    loss=DKD(warm_up=0.5),
    exits=ExitTeachingParams(teacher=True, last_exit=0.5),
    hints=(
        HintParams(student="block_1", teacher="features", weight=0.5),
        HintParams(student="block_2", teacher="features", weight=0.5),
    ),
)


@pytest.mark.usefixtures("few_steps_a_block")
class TestResuming:
    """A run that was interrupted ends like one that never was."""

    @pytest.mark.parametrize("everything", [False, True])
    def test_interrupted_in_the_middle_of_an_epoch(
        self,
        everything: bool,
        run: Run,
        schedule: TrainingSchedule,
        hinting: TrainingExamples,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ):
        if everything:
            run = partial(
                run,
                examples=hinting,
                objective=DistillationObjective(EVERYTHING),
                schedule=shared(
                    dataclasses.replace(schedule, keeps_best="macro_f1"),
                    optimizer=OptimizerParams(
                        name="sgd", weight_decay=0.01, warm_up=0.2, ema_decay=0.99
                    ),
                    exit_gradient=0.3,
                ),
            )
        straight = run(checkpoint=Checkpoint(tmp_path / "straight.npz", settings=[]))
        blocks = TrainingExamples.blocks

        def interrupted(self: TrainingExamples, *, epoch: int, **rest: Any) -> Iterator[Any]:
            for number, block in enumerate(blocks(self, epoch=epoch, **rest)):
                if (epoch, number) == (4, 1):
                    raise KeyboardInterrupt
                yield block

        checkpoint = Checkpoint(tmp_path / "interrupted.npz", settings=[])
        with monkeypatch.context() as patched:
            patched.setattr(TrainingExamples, "blocks", interrupted)
            with pytest.raises(KeyboardInterrupt):
                run(checkpoint=checkpoint)
        capsys.readouterr()

        resumed = run(checkpoint=checkpoint)
        printed = capsys.readouterr().out.splitlines()
        assert printed[0] == "resuming after epoch 3"
        # A slow epoch has several lines.
        epochs = dict.fromkeys(line.split()[1] for line in printed[1:])
        assert list(epochs) == ["4/6", "5/6", "6/6"]
        assert resumed.weights == straight.weights
        assert resumed.history == straight.history
        # Killed after the last epoch and before the outputs were written: nothing is trained.
        again = run(checkpoint=checkpoint)
        assert again.weights == straight.weights
        assert again.history == straight.history
        if everything:
            # The schedules moved, so the history that they follow was taken up again as well.
            assert straight.history[3]["alpha"] < straight.history[-1]["alpha"] <= 0.9
            assert [record["warm_up"] for record in straight.history[:3]] == [0.333333, 0.666667, 1]

    def test_without_the_state_of_random_layers_it_would_differ(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ):
        with_state = run()
        monkeypatch.setattr("kdtasks.learn.training.loop._reset_random_layers", lambda *_: None)
        assert run().weights != with_state.weights
