"""A network with depthwise layers of a wide range, calibrated once."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from benchmarks.int8_remedies import SHAPE, wide_network


class Wide(NamedTuple):
    """A network, images that set its ranges, others, and its calibrated file."""

    model: Any
    images: np.ndarray
    others: np.ndarray
    calibrated: bytes


@pytest.fixture(scope="session")
def wide() -> Wide:
    from kdtasks.compress.convert import calibrate

    model = wide_network(0, octaves=10.0)
    drawn = np.random.default_rng(1).integers(0, 256, (120, *SHAPE), np.uint8)
    return Wide(model, drawn[:20], drawn[20:], calibrate(model, drawn[:20]))
