"""Random rows that look like a network's: later exits are better, surer ones more often right."""

import numpy as np
import pytest

from kdtasks.evaluate.exits.rows import ExitRows


@pytest.fixture(scope="session")
def make_rows():
    def make(seed: int, *, images: int, exits: int, levels: int | None = None) -> ExitRows:
        generator = np.random.default_rng(seed)
        difficulty = generator.random(images)[:, None]
        skill = np.linspace(1.2, 0.3, exits)
        chance = np.clip(1.0 - difficulty * skill, 0.05, 1.0)
        scores = np.clip(chance + generator.normal(0, 0.1, chance.shape), 0.1, 1.0)
        if levels is not None:
            scores = np.ceil(scores * levels) / levels
        correct = generator.random(chance.shape) < chance
        macs = np.cumsum(generator.integers(10, 50, exits))
        return ExitRows(scores, correct, macs)

    return make
