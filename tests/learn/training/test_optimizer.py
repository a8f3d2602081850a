"""Steps worked by hand, and a state that can be taken up again."""

from typing import Any, Literal

import numpy as np
import pytest

from kdtasks.core.backend import tf
from kdtasks.learn.training.step import Optimizer, OptimizerParams


def make(params: OptimizerParams, *values: list, steps: int = 10**9) -> tuple[Optimizer, list]:
    variables = [tf.Variable(value, dtype=tf.float32) for value in values]
    optimizer = Optimizer(params, variables, averaged=variables, learning_rate=0.1, steps=steps)
    return optimizer, variables


def test_sgd_looks_ahead_along_its_momentum():
    optimizer, (kernel,) = make(OptimizerParams(name="sgd", momentum=0.9), [[2.0]])
    optimizer.step([tf.constant([[0.5]])])
    # m = −0.1·0.5; w = 2 + 0.9·m − 0.1·0.5 = 2 − 0.045 − 0.05
    np.testing.assert_allclose(kernel, [[1.905]], rtol=1e-6)
    optimizer.step([tf.constant([[0.5]])])
    # m = 0.9·(−0.05) − 0.05 = −0.095; w = 1.905 + 0.9·m − 0.05
    np.testing.assert_allclose(kernel, [[1.7695]], rtol=1e-6)


def test_adam_starts_with_steps_of_the_learning_rate():
    optimizer, (kernel,) = make(OptimizerParams(), [[2.0, 2.0]])
    optimizer.step([tf.constant([[0.5, -3.0]])])
    np.testing.assert_allclose(kernel, [[1.9, 2.1]], rtol=1e-5)


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_kernels_decay_and_vectors_do_not(name: Literal["adam", "sgd"]):
    optimizer, (kernel, bias) = make(OptimizerParams(name=name, weight_decay=0.2), [[2.0]], [2.0])
    optimizer.step([tf.zeros((1, 1)), tf.zeros(1)])
    np.testing.assert_allclose(kernel, [[2.0 * (1 - 0.1 * 0.2)]], rtol=1e-6)
    np.testing.assert_array_equal(bias, [2.0])


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_the_rate_ends_at_nothing(name: Literal["adam", "sgd"]):
    optimizer, (kernel,) = make(OptimizerParams(name=name, momentum=0.0), [[2.0]], steps=3)
    seen = []
    for _ in range(4):
        optimizer.step([tf.constant([[1.0]])])
        seen.append(float(kernel[0, 0]))
    # A cosine over three steps: 1, 0.75, 0.25, 0 of the rate.
    np.testing.assert_allclose(seen, [1.9, 1.825, 1.8, 1.8], rtol=1e-5)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        # Of eight steps a quarter warms up; a cosine over the other six follows.
        ({"warm_up": 0.25}, [0, 0.5, 1, 0.933013, 0.75, 0.5, 0.25, 0.066987, 0]),
        ({"warm_up": 0.25, "schedule": "constant"}, [0, 0.5, 1, 1, 1, 1, 1, 1, 1]),
        ({"schedule": "constant"}, [1] * 9),
        ({"warm_up": 0.1}, [1, 0.961940, 0.853553, 0.691342, 0.5, 0.308658, 0.146447, 0.038060, 0]),
    ],
)
@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_the_rate_warms_up_and_then_falls_or_stays(
    name: Literal["adam", "sgd"], params: dict[str, Any], expected: list[float]
):
    settings = OptimizerParams(name=name, momentum=0.0, **params)
    optimizer, (kernel,) = make(settings, [[2.0]], steps=8)
    seen = [2.0]
    for _ in expected:
        optimizer.step([tf.constant([[1.0]])])  # a constant gradient: Adam steps by the rate too
        seen.append(float(kernel[0, 0]))
    np.testing.assert_allclose(-np.diff(seen) / 0.1, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_a_state_goes_on_where_it_was(name: Literal["adam", "sgd"]):
    params = OptimizerParams(name=name, weight_decay=0.1, warm_up=0.4, ema_decay=0.9)
    gradients = [tf.constant([[value]]) for value in (0.5, -0.2, 0.7)]
    whole, (expected,) = make(params, [[2.0]], steps=3)
    for gradient in gradients:
        whole.step([gradient])
    first, (kernel,) = make(params, [[2.0]], steps=3)
    first.step([gradients[0]])
    second, (resumed,) = make(params, kernel.numpy(), steps=3)
    for variable, value in zip(second.state, first.state, strict=True):
        variable.assign(value)
    for gradient in gradients[1:]:
        second.step([gradient])
    np.testing.assert_array_equal(resumed, expected)
    second.average.install()
    whole.average.install()
    np.testing.assert_array_equal(resumed, expected)
