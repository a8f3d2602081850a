import numpy as np
import pytest

from kdtasks.evaluate.exits.rows import BOUNDS, fit_temperature, fit_temperatures


def test_golden_value():
    # Three of four images with logits (2 ln 3, 0) are class 0: the best probability is 3/4,
    # odds of 3, and so the temperature 2.
    logits = np.array([[2 * np.log(3.0), 0.0]] * 4)
    assert fit_temperature(logits, np.array([0, 0, 0, 1])) == pytest.approx(2.0, rel=1e-4)


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 3.5])
def test_the_temperature_that_made_the_labels_is_found(true_temperature):
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 3, (20_000, 5))
    # The largest of logits / T plus Gumbel noise is a draw from softmax(logits / T).
    labels = (logits / true_temperature + generator.gumbel(size=logits.shape)).argmax(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(true_temperature, rel=0.05)


def test_temperature_does_not_change_with_a_shift_and_scales_with_the_logits():
    generator = np.random.default_rng(2)
    logits = generator.normal(0, 2, (300, 3))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    found = fit_temperature(logits, labels)
    assert fit_temperature(logits + 1000.0, labels) == pytest.approx(found, rel=1e-5)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3 * found, rel=1e-5)


def test_an_exit_without_a_mistake_stays_within_bounds():
    found = fit_temperature(5.0 * np.eye(2), np.array([0, 1]))
    assert BOUNDS[0] <= found < 0.2
    # Every answer wrong and sure of it: the flattest probabilities are the best.
    assert BOUNDS[1] >= fit_temperature(5.0 * np.eye(2), np.array([1, 0])) > 90.0


def test_each_exit_has_its_own():
    logits = np.stack([[[2 * np.log(3.0), 0.0]] * 4, [[np.log(3.0), 0.0]] * 4], axis=1)
    assert fit_temperatures(logits, np.array([0, 0, 0, 1])) == pytest.approx([2.0, 1.0], rel=1e-4)
