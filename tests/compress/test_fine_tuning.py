"""Fine-tuning after a pass."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kdtasks.core.backend import seed_everything
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
