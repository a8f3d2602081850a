import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdtasks.edge.manifest_form import SCORE_NAMES
from kdtasks.edge.scores import ALWAYS, NEVER, SCORES, max_probability, softmax

LOGITS = arrays(np.float32, (5, 3, 4), elements=st.floats(-50, 50, width=32))
TEMPERATURES = st.floats(0.05, 100.0)
BOUNDED = ("max_probability", "margin", "entropy")

every_score = pytest.mark.parametrize("name", SCORES)


def test_golden_values():
    # e^0 : e^ln 3 is 1 : 3; at temperature ½ the odds are squared, 1 : 9.
    logits = np.array([0.0, np.log(3.0)])
    np.testing.assert_allclose(softmax(logits), [0.25, 0.75], rtol=1e-12)
    np.testing.assert_allclose(softmax(logits, 0.5), [0.1, 0.9], rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "at_one", "at_half"),
    [
        ("max_probability", 0.75, 0.9),
        ("margin", 0.5, 0.8),
        # H(¼, ¾) = 0.811278 bits and H(0.1, 0.9) = 0.468996 bits, of one bit at most.
        ("entropy", 0.188722, 0.531004),
        # ln (1 + 3), and ½ ln (1 + 9).
        ("energy", np.log(4.0), np.log(10.0) / 2),
    ],
)
def test_golden_scores(name, at_one, at_half):
    logits = np.array([0.0, np.log(3.0)])
    assert SCORES[name](logits, 1.0) == pytest.approx(at_one, rel=1e-5)
    assert SCORES[name](logits, 0.5) == pytest.approx(at_half, rel=1e-5)


def test_margin_and_entropy_of_three_classes():
    logits = np.log(np.array([1.0, 6.0, 3.0]))
    assert SCORES["margin"](logits, 1.0) == pytest.approx(0.3)
    in_nats = -sum(p * np.log(p) for p in (0.1, 0.6, 0.3))
    assert SCORES["entropy"](logits, 1.0) == pytest.approx(1 - in_nats / np.log(3))


@every_score
def test_one_temperature_an_exit(name):
    logits = np.log(np.array([[[1.0, 3.0], [1.0, 3.0]]]))
    both = SCORES[name](logits, np.array([1.0, 0.5]))
    assert both.shape == (1, 2)
    assert both[0].tolist() == [SCORES[name](logits[0, 0], t) for t in (1.0, 0.5)]


@every_score
def test_huge_logits_are_safe(name):
    np.testing.assert_array_equal(softmax([1e5, 0.0, -1e5]), [1.0, 0.0, 0.0])
    assert max_probability([3e38, 3e38], 0.05) == 0.5
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(SCORES[name](np.array([1e5, 0.0, -1e5]), 0.05))
        assert SCORES[name](np.array([3e38, -3e38]), 1.0) < NEVER
        assert SCORES[name](np.array([-3e38, -3e38]), 1.0) > ALWAYS


@given(LOGITS, TEMPERATURES)
def test_bounded_scores_are_shares(logits, temperature):
    for name in BOUNDED:
        scores = SCORES[name](logits, temperature)
        assert ((scores >= 0) & (scores <= 1)).all(), name
    np.testing.assert_allclose(softmax(logits, temperature).sum(axis=-1), 1.0, rtol=1e-12)


@given(LOGITS, TEMPERATURES, st.floats(0.5, 20.0))
def test_a_larger_lead_never_looks_less_sure(logits, temperature, lead):
    surer = logits.astype(np.float64)
    np.put_along_axis(
        surer, logits.argmax(axis=-1)[..., None], logits.max(axis=-1, keepdims=True) + lead, axis=-1
    )
    for name, score in SCORES.items():
        before, after = score(logits, temperature), score(surer, temperature)
        assert (after >= before - 1e-12 * np.abs(before)).all(), name


@given(LOGITS, TEMPERATURES, st.floats(-100, 100))
def test_only_energy_moves_with_a_shift(logits, temperature, shift):
    logits = logits.astype(np.float64)
    for name in BOUNDED:
        moved = SCORES[name](logits + shift, temperature)
        np.testing.assert_allclose(moved, SCORES[name](logits, temperature), atol=1e-9)
    moved = SCORES["energy"](logits + shift, temperature)
    np.testing.assert_allclose(moved, SCORES["energy"](logits, temperature) + shift, atol=1e-9)


@given(LOGITS, st.lists(TEMPERATURES, min_size=3, max_size=3))
def test_one_image_alone_has_the_same_bits(logits, temperatures):
    # The device scores one exit of one image at a time; calibration all of them at once.
    for name, score in SCORES.items():
        together = score(logits, np.array(temperatures))
        alone = [[score(logits[n, k], temperatures[k]) for k in range(3)] for n in range(5)]
        np.testing.assert_array_equal(together, alone, err_msg=name)
    largest = softmax(logits, np.array(temperatures)).max(axis=-1)
    np.testing.assert_array_equal(max_probability(logits, np.array(temperatures)), largest)


def test_manifests_know_every_score():
    assert tuple(SCORES) == SCORE_NAMES
