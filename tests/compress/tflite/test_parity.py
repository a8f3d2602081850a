"""Files of a trained network beside it: sound ones, and such as were converted wrongly."""

import numpy as np
import pytest

from kdtasks.compress.exported import FEWEST_IMAGES, BuiltVariant, measure_parity
from kdtasks.evaluate.parity import ParityParams, parity_problem

LIMITS = ParityParams()


@pytest.fixture
def measure(trained):
    """Give a function that compares a file with the network."""

    def run(content, number_format="int8", *, unseen=None):
        images = np.concatenate([trained.representative, trained.images[:unseen]])
        return measure_parity(
            number_format,
            BuiltVariant(content, content, content, trained.model),
            images,
            np.arange(len(images)),
            seen_rows=len(trained.representative),
        )

    return run


@pytest.fixture
def converted(trained):
    """Give a function that converts the network."""
    from kdtasks.compress.convert import convert

    return lambda number_format, representative: convert(
        trained.model, number_format=number_format, representative=representative
    )


@pytest.mark.parametrize("number_format", ["float32", "float16", "dynamic_int8", "int8", "int16x8"])
def test_every_number_format_stays_within_its_limits(number_format, converted, measure, trained):
    found = measure(converted(number_format, trained.representative), number_format)
    assert parity_problem(found, LIMITS) is None
    assert (found.rows, len(found.exits)) == (len(trained.images), 2)
    assert not found.set_ranges
    if number_format != "float32":
        assert all(one.error > 1e-4 for one in found.exits)


@pytest.mark.parametrize("dimmed", [0, 3])
def test_ranges_of_dark_images_are_found_out(dimmed, converted, measure, trained):
    """Black ones, and such as are a third as bright: half of the spread is lost, few answers."""
    dark = trained.representative // dimmed if dimmed else trained.representative * 0
    problem = parity_problem(measure(converted("int8", dark)), LIMITS)
    assert problem is not None
    assert "of their standard deviation" in problem
    assert "give more compress.representative_images, add qat" in problem


def test_images_that_set_ranges_count_only_where_there_are_too_few_others(int8_content, measure):
    assert not measure(int8_content, unseen=FEWEST_IMAGES).set_ranges
    found = measure(int8_content, unseen=FEWEST_IMAGES - 1)
    assert found.set_ranges
    assert found.rows == 200 + FEWEST_IMAGES - 1
    # Nothing in float32 has a range.
    assert not measure(int8_content, "float32", unseen=FEWEST_IMAGES - 1).set_ranges
