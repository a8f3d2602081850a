"""What tests of several packages share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def randomise() -> Callable[..., None]:
    """Give a function that draws every weight of a model, running statistics included."""

    def draw(model: Any, *, seed: int) -> None:
        generator = np.random.default_rng(seed)
        for variable in model.network.weights:
            if len(variable.shape) == 1:
                variable.assign(generator.uniform(0.2, 1.0, variable.shape))
            else:
                fan_in = int(np.prod(variable.shape[:-1]))
                variable.assign(generator.normal(0, (2 / fan_in) ** 0.5, variable.shape))

    return draw
