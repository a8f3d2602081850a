"""How far a file is from its network, by hand, and what is said of one that is too far."""

import numpy as np
import pytest

from kdtasks.core.errors import ExportError
from kdtasks.core.records.compress import Parity
from kdtasks.core.text import plain
from kdtasks.evaluate.intervals import wilson_interval
from kdtasks.evaluate.jackknife import FEWEST_IMAGES
from kdtasks.evaluate.parity import (
    ParityAccumulator,
    ParityParams,
    changed_interval,
    parity_problem,
)
from tests.tools.records import parity


def parity_of(found, expected, groups=None):
    accumulator = ParityAccumulator()
    accumulator.add(found, expected)
    return accumulator.result(np.arange(len(found)) if groups is None else groups, tolerance=0.25)


def test_every_exit_by_hand():
    # [2 images, 2 exits, 2 classes]; deviations from the means 0 and 5 are all 3 and all 4.
    expected = np.array([[[3.0, -3.0], [9.0, 1.0]], [[-3.0, 3.0], [1.0, 9.0]]])
    found = expected + np.array([[[1.5, 1.5], [0.0, 0.0]], [[1.5, 1.5], [8.0, -8.0]]])
    first, last = parity_of(found, expected).exits
    assert (first.error, first.changed) == (0.5, 0.0)  # 1.5 of 3
    assert (last.error, last.changed) == (1.414, 0.5)  # √(128 / 4) of 4
    for one, changed in ((first, 0), (last, 1)):
        assert one.interval == pytest.approx(wilson_interval(changed, 2, 0.95), abs=1e-6)


def test_a_level_that_all_logits_share_is_no_excuse():
    """Beside the root mean square of the logits, 101, an error of 2 would be a fiftieth."""
    expected = np.array([[[102.0, 98.0]], [[98.0, 102.0]]])
    [found] = parity_of(expected + np.array([2.0, -2.0]), expected).exits
    assert found.error == 1.0


def test_where_the_network_always_says_the_same_the_error_itself_counts():
    expected = np.full((3, 1, 2), 4.0)
    assert parity_of(expected, expected).exits[0].error == 0.0
    assert parity_of(expected + 0.5, expected).exits[0].error == 0.5


def test_parts_make_no_difference():
    generator = np.random.default_rng(0)
    expected = generator.normal(7, 2, size=(20, 2, 3, 4, 5))  # masks of 3×4 pixels from two exits
    found = expected + generator.normal(size=expected.shape)
    accumulator = ParityAccumulator()
    for rows in (slice(0, 3), slice(3, 4), slice(4, 20)):
        accumulator.add(found[rows], expected[rows])
    source = np.arange(20) // 2
    assert accumulator.result(source, tolerance=0.25) == parity_of(found, expected, source)


def test_of_masks_pixels_count_and_the_interval_is_over_source_images():
    generator = np.random.default_rng(1)
    source = np.repeat(np.arange(10), 3)
    expected = np.zeros((30, 1, 4, 4, 2))
    expected[..., 0] = 1.0
    found, wrong = (
        expected.copy(),
        generator.random((30, 1, 4, 4)) < source[:, None, None, None] / 40,
    )
    found[wrong] = [0.0, 1.0]
    [one] = parity_of(found, expected, source).exits
    assert one.changed == pytest.approx(wrong.mean(), abs=1e-6)
    by_image = wrong.reshape(10, 48).sum(axis=1)
    over_images = changed_interval(by_image, np.full(10, 48), 0.95)
    assert one.interval == pytest.approx(over_images, abs=1e-6)
    low, high = one.interval
    narrow = wilson_interval(int(wrong.sum()), wrong.size, 0.95)  # as if pixels were independent
    assert high - low > narrow[1] - narrow[0]
    few = source < FEWEST_IMAGES - 1
    assert parity_of(found[few], expected[few], source[few]).exits[0].interval is None


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_refused(number):
    expected = np.zeros((2, 1, 3))
    found = expected.copy()
    found[1, 0, 2] = number
    with pytest.raises(ExportError, match="not all finite; use another number format"):
        parity_of(found, expected)


LIMITS = ParityParams()


def problem_of(found: Parity, limits: ParityParams = LIMITS) -> str:
    problem = parity_problem(found, limits)
    assert problem is not None
    return plain(problem)


def test_a_sound_int8_file_passes():
    assert parity_problem(parity((0.05, 0.01), (0.02, 0.003)), LIMITS) is None


def test_half_of_the_spread_is_too_much_though_few_answers_change():
    assert problem_of(parity((0.1, 0.0), (0.5, 0.01), (0.3, 0.0))) == (
        "the file is too far from the float network that it was converted from: the logits of exit "
        "2 of 3 are off by 50 % of their standard deviation, 25 % are allowed "
        "(max_logit_error), on 300 calibration images; give more compress.representative_images, "
        "add qat to the variant, use float16, or raise the limit in compress.parity"
    )


def test_many_changed_answers_are_too_much_though_logits_are_close():
    assert (
        "from: 12.0 % (8.8 – 16.2 %) of the answers of exit 1 of 1 change, 5.0 % are allowed "
        "(max_changed_answers), on 300 calibration images" in problem_of(parity((0.1, 0.12)))
    )


def test_few_images_do_not_prove_that_many_answers_change():
    assert parity_problem(parity((0.1, 0.1), rows=20), LIMITS) is None
    assert parity_problem(parity((0.1, 0.1), rows=2000), LIMITS) is not None


def test_limits_are_settings():
    far = parity((0.4, 0.2))
    assert parity_problem(far, ParityParams(max_logit_error=0.5, max_changed_answers=0.3)) is None
    assert "max_changed" in problem_of(far, ParityParams(max_logit_error=0.5))
    exact = far.model_copy(update={"tolerance": 1e-4, "exits": parity((0.0002, 0.0)).exits})
    assert "off by 0.02 % of their standard deviation, 0.01 % are" in problem_of(exact)
