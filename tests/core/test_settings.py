"""Fractions of counts."""

import pytest

from kdtasks.core.settings import count_of


@pytest.mark.parametrize(
    ("fraction", "total", "count"),
    [
        (0.29, 100, 29),
        (0.57, 100, 57),
        (0.1 + 0.2, 10, 3),
        (0.999, 10, 9),
        (1.0, 7, 7),
        (0.0, 7, 0),
    ],
)
def test_decimal_fractions_are_counted_as_people_do(
    fraction: float, total: int, count: int
) -> None:
    assert count_of(fraction, total) == count
