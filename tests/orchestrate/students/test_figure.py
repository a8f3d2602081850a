"""The images of the front: every score and limit is there, and can be read out."""

import re
from typing import Any

import pytest

from kdtasks.orchestrate.students.figure import front_figures

TRIALS = {"slim": (0.5, 0.80), "wide": (1.0, 0.88), "huge": (2.0, 0.87), "weak": (0.7, 0.4)}


@pytest.fixture
def summary() -> dict[str, Any]:
    """Two students on the front, one that costs more than it gives, and one stopped early."""
    trials = [
        {"label": label, "score": score, "ended": "pruned" if label == "weak" else "complete"}
        | {"latency_ms": cost / 10, "bytes": 1000 * cost, "arena_bytes": None, "macs": 10**6}
        for label, (cost, score) in TRIALS.items()
    ]
    trials.append(trials[0] | {"label": "broken", "score": None})
    front = [
        {"label": label, "mean": TRIALS[label][1], "interval": (0.7, 0.9), "stays": True}
        for label in ("slim", "wide")
    ]
    limits: dict[str, Any] = {"max_size_kb": 3.0, "max_latency_ms": None, "max_arena_kb": None}
    limits |= {"student": {"against": "bytes"}, "max_accuracy_drop": 0.01}
    return {
        "trials": trials,
        "front": front,
        "winner": "wide",
        "metric": "accuracy",
        "limits": limits,
    }


def test_an_image_of_every_cost_with_its_limit(summary: dict[str, Any]):
    found = front_figures(summary)
    assert [*found] == ["front-bytes", "front-latency_ms", "front-macs"]
    size, time = found["front-bytes"], found["front-latency_ms"]
    for image in (size, time):
        for text in ("slim", "wide", "one seed", "stopped early", "fresh seeds, their mean"):
            assert re.search(rf">{text}", image)
        assert "var(--chosen)" in image
    assert (">limit<" in size, ">limit<" in time) == (True, False)
    assert "On the front: slim, 0.5, 80.0\u00a0%; wide, 1, 88.0\u00a0%. The dotted line is" in size


def test_a_search_that_is_not_over_has_its_images(summary: dict[str, Any]):
    for point in summary["front"]:
        point |= {"mean": None, "interval": None}
    assert "On the front: slim, 0.5, –" in front_figures(summary | {"winner": None})["front-bytes"]
    assert front_figures(summary | {"trials": [], "front": []}) == {}
