"""Fine-tuning after a pass."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kdtasks.core.backend import seed_everything
from kdtasks.learn.training.loop import train
from kdtasks.learn.training.step import OptimizerParams


def test_weights_are_not_averaged(
    build_network: Callable[[str], Any], make_fine_tuning: Callable[..., Any]
):
    found = []
    for optimizer in (OptimizerParams(), OptimizerParams(ema_decay=0.9)):
        seed_everything(0)
        model = build_network("cnn_average")
        tuning = make_fine_tuning(model)
        params = tuning.schedule.params.model_copy(update={"optimizer": optimizer})
        replace(tuning, schedule=replace(tuning.schedule, params=params)).run(
            model, name="magnitude", epochs=1
        )
        found.append([weight.tobytes() for weight in model.network.get_weights()])
    assert found[0] == found[1]


def test_no_alarm_tells_of_a_loss_that_has_fallen_before(
    build_network: Callable[[str], Any],
    make_fine_tuning: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("kdtasks.learn.training.monitor._FALL", 2.0)  # no loss falls so far
    warned: list[str] = []
    monkeypatch.setattr("kdtasks.learn.training.loop.warn", warned.append)
    model = build_network("cnn_average")
    tuning = make_fine_tuning(model)
    tuning.run(model, name="magnitude", epochs=2)
    assert warned == []
    train(
        model,
        tuning.examples,
        validation=tuning.validation,
        objective=tuning.objective,
        schedule=replace(tuning.schedule, epochs=2),
    )
    assert "the training loss has not fallen" in warned[0]
