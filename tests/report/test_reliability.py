"""The reliability diagram of an exit."""

import re

from kdtasks.core.records.evaluate import ReliabilityBin
from kdtasks.report.curves import reliability_figure

BINS = [
    ReliabilityBin(confidence=0.62, accuracy=0.5, rows=4),
    ReliabilityBin(confidence=0.97, accuracy=1.0, rows=96),
]


def test_the_threshold_is_drawn_where_there_is_one() -> None:
    plain = reliability_figure(0, BINS, threshold=None, confidence=0.95)
    assert "var(--chosen)" not in plain
    assert "var(--distill)" in plain
    assert "var(--chosen)" in reliability_figure(0, BINS, threshold=0.9, confidence=0.95)
    assert "var(--chosen)" not in reliability_figure(0, BINS, threshold=1e300, confidence=0.95)
    assert 'aria-label="How often exit 2 is right' in reliability_figure(
        1, BINS, threshold=None, confidence=0.95
    )


def test_ids_of_two_exits_differ() -> None:
    first, second = (
        set(
            re.findall(
                r'\bid="([^"]+)"', reliability_figure(k, BINS, threshold=None, confidence=0.9)
            )
        )
        for k in (0, 1)
    )
    assert first
    assert not first & second
