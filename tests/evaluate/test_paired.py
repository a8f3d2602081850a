"""McNemar's test and the bounds of a paired difference, against hand work and exact sums."""

import functools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from statsmodels.stats.contingency_tables import mcnemar

from kdtasks.core.errors import EvaluationError
from kdtasks.evaluate.intervals import (
    compare_paired,
    mcnemar_p_value,
    score_interval,
    score_lower_bound,
    wilson_interval,
)

SETTINGS: dict[str, Any] = {"confidence": 0.95, "samples": 2000, "seed": 0}


def answers(gained: int, lost: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers of two models; what both answer alike is right."""
    first, second = np.ones(rows, bool), np.ones(rows, bool)
    second[:gained] = False
    first[gained : gained + lost] = False
    return first, second


def test_the_exact_test_by_hand():
    # (1 + 6) of 64 ways have at most one head among six tosses, and as many at most one tail
    assert mcnemar_p_value(1, 5) == pytest.approx(14 / 64)
    assert mcnemar_p_value(5, 1) == mcnemar_p_value(1, 5)
    assert mcnemar_p_value(3, 3) == 1.0
    assert mcnemar_p_value(0, 0) == 1.0


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_exact_test_agrees_with_statsmodels(gained: int, lost: int):
    expected = mcnemar([[7, gained], [lost, 7]], exact=True).pvalue
    assert mcnemar_p_value(gained, lost) == pytest.approx(expected, rel=1e-9)


def test_the_published_example_of_the_score_interval():
    """Sleeping difficulties of Tango 1998, section 6.2: 9 and 3 of 32 pairs differ."""
    assert score_interval(9, 3, 32, 0.95) == pytest.approx((-0.027, 0.390), abs=5e-4)


@given(
    st.integers(0, 60), st.integers(0, 60), st.integers(1, 400), st.sampled_from([0.8, 0.9, 0.95])
)
def test_the_score_interval_is_the_outer_roots_of_a_quartic(
    gained: int, lost: int, alike: int, confidence: float
):
    """Statsmodels has no paired score interval; the closed form is another way to the same ends.

    Source: Yang, Sun and Hardin 2013, Statistics in Medicine 32, 1336-1342.
    """
    if gained == lost:  # two inner roots coincide, which np.roots splits by rounding
        gained += 1
    rows, net, either = gained + lost + alike, gained - lost, gained + lost
    g = float(ndtri(0.5 + confidence / 2)) ** 2
    coefficients = [
        rows**2 * (rows / g + 1) ** 2,
        -rows * net * (rows / g + 1) * (4 * rows / g + 1),
        2 * rows * net**2 * (3 * rows / g + 2) / g - rows**2 * (either / g + 1),
        rows * net * (2 * either / g + 1) - net**3 * (4 * rows / g + 1) / g,
        net**2 * (net**2 / g - either) / g,
    ]
    roots = np.roots(coefficients)
    real = roots[np.abs(roots.imag) < 1e-9].real
    found = score_interval(gained, lost, rows, confidence)
    assert found == pytest.approx((real.min(), real.max()), abs=1e-8)


def test_models_that_never_differ_get_an_interval_all_the_same():
    z = 1.6448536269514722
    assert score_lower_bound(0, 0, 300, 0.95) == pytest.approx(-(z**2) / (300 + z**2))


@pytest.mark.parametrize("lost", [1, 7, 40])
def test_losses_alone_have_wilsons_bound(lost: int):
    assert score_lower_bound(0, lost, 50, 0.95) == pytest.approx(-wilson_interval(lost, 50, 0.9)[1])


def test_every_image_lost():
    assert score_lower_bound(0, 50, 50, 0.95) == -1.0


@pytest.mark.parametrize(("gained", "lost", "rows"), [(3, 9, 100), (9, 3, 100), (5, 5, 40)])
def test_the_bound_is_where_the_score_test_just_does_not_reject(gained: int, lost: int, rows: int):
    from scipy.optimize import minimize_scalar

    bound = score_lower_bound(gained, lost, rows, 0.95)

    def unlikelihood(share_lost: float) -> float:
        shares = (share_lost + bound, share_lost, 1 - 2 * share_lost - bound)
        counts = (gained, lost, rows - gained - lost)
        return -sum(n * math.log(p) for n, p in zip(counts, shares, strict=True))

    ends = (max(0.0, -bound) + 1e-9, (1 - bound) / 2 - 1e-9)
    found = minimize_scalar(unlikelihood, bounds=ends, method="bounded", options={"xatol": 1e-10})
    share_lost = float(found.x)
    deviation = (2 * share_lost + bound - bound**2) ** 0.5
    z = (gained - lost - rows * bound) / (rows**0.5 * deviation)
    assert z == pytest.approx(1.6448536, abs=1e-4)


@pytest.mark.parametrize("rows", [50, 200])
@pytest.mark.parametrize("share_gained", [0.0, 0.02, 0.1])
def test_a_model_just_worse_than_allowed_is_let_through_in_one_case_of_twenty_at_most(
    rows: int, share_gained: float
):
    """The exact probability, summed over every outcome: 5 % but for the score test's error."""
    from scipy.stats import multinomial

    drop = 0.05
    shares = [share_gained, share_gained + drop, 1 - 2 * share_gained - drop]
    bound = functools.partial(score_lower_bound, rows=rows, confidence=0.95)
    let_through = sum(
        float(multinomial.pmf([gained, lost, rows - gained - lost], rows, shares))
        for gained in range(rows // 3)
        for lost in range(rows // 3)
        if gained + lost <= rows and bound(gained, lost) >= -drop
    )
    assert let_through <= 0.055


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 200))
def test_the_bounds_hold_the_difference_and_mirror(gained: int, lost: int, both: int):
    rows = gained + lost + both
    if not rows:
        return
    first, second = answers(gained, lost, rows)
    found = compare_paired(first, second, method="mcnemar", **SETTINGS)
    mirrored = compare_paired(second, first, method="mcnemar", **SETTINGS)
    assert -1 <= found.lower <= found.difference <= found.upper <= 1
    assert (found.lower, found.upper) == pytest.approx((-mirrored.upper, -mirrored.lower))
    assert (found.gained, found.lost, found.rows) == (gained, lost, rows)
    assert found.difference == pytest.approx((gained - lost) / rows)


def test_the_bootstrap_is_near_the_score_bound_on_many_images():
    first, second = answers(60, 90, 2000)
    score = compare_paired(first, second, method="mcnemar", **SETTINGS)
    drawn = compare_paired(first, second, method="bootstrap", **SETTINGS)
    assert drawn.lower == pytest.approx(score.lower, abs=0.002)
    assert drawn.upper == pytest.approx(score.upper, abs=0.002)
    assert drawn.p_value == score.p_value
    assert drawn == compare_paired(first, second, method="bootstrap", **SETTINGS)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (3, 1), (12, 10)])
def test_the_bootstrap_is_never_narrower_than_the_score_interval(gained: int, lost: int):
    """One image gained and none lost: no resample of these loses any, other images may."""
    score, drawn = (
        compare_paired(*answers(gained, lost, 300), method=method, **SETTINGS)
        for method in ("mcnemar", "bootstrap")
    )
    assert drawn.lower <= score.lower < 0.0 < score.upper <= drawn.upper


def test_answers_to_other_images_are_refused():
    with pytest.raises(EvaluationError, match=r"got answers of shape \(3,\) and \(4,\)"):
        compare_paired(np.ones(3, bool), np.ones(4, bool), method="mcnemar", **SETTINGS)
    with pytest.raises(EvaluationError, match="not empty"):
        compare_paired(np.ones(0, bool), np.ones(0, bool), method="mcnemar", **SETTINGS)
