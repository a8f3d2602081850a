"""The search for the smallest share of filters that meets a goal."""

from types import SimpleNamespace
from typing import Any

import pytest

from kdtasks.compress.passes.filters import goal_measures, smallest_ratio
from kdtasks.core.errors import CompressionError


def shrunk(ratio):
    """Of 40 filters, whole ones are left."""
    return SimpleNamespace(left=40 - int(40 * ratio), count_parameters=lambda: 40 - int(40 * ratio))


def left(model: Any) -> float:
    return float(model.left)


@pytest.mark.parametrize("goal", [1, 7, 20, 33, 39])
def test_just_enough_is_removed(goal):
    measured = []

    def measure(model: Any) -> float:
        measured.append(model.left)
        return left(model)

    ratio = smallest_ratio(shrunk, {"size_kb": measure}, {"size_kb": goal})
    assert shrunk(ratio).left == goal
    assert len(measured) == len(set(measured))  # nothing is measured twice


def test_a_goal_that_is_met_already_removes_nothing():
    assert smallest_ratio(shrunk, {"macs": lambda model: 3.0}, {"macs": 3.0}) == 0.0


@pytest.mark.parametrize(("goals", "expected"), [((20, 30), 20), ((30, 11.5), 11)])
def test_of_several_goals_the_tightest_decides(goals, expected):
    ways = {"size_kb": left, "macs": left, "worst_latency_ms": lambda model: 1 / 0}
    ratio = smallest_ratio(shrunk, ways, dict(zip(("size_kb", "macs"), goals, strict=True)))
    assert shrunk(ratio).left == expected


def test_the_goal_of_several_that_is_out_of_reach_is_named():
    ways = {"size_kb": left, "macs": lambda model: left(model) / 40}
    with pytest.raises(CompressionError, match=r"target macs 0\.01 cannot be reached"):
        smallest_ratio(shrunk, ways, {"size_kb": 20, "macs": 0.01})


def test_a_goal_out_of_reach_is_an_error(capsys):
    with pytest.raises(
        CompressionError, match=r"target size_kb 0\.5 cannot be reached: .* it is 1; raise"
    ):
        smallest_ratio(shrunk, {"size_kb": left}, {"size_kb": 0.5})
    assert "ratio 0.990 gives size_kb 1, goal 0.5" in capsys.readouterr().out


def test_models_are_measured_by_their_files(build_network):
    from kdtasks.compress.convert import convert

    model = build_network("cnn_average")
    content = convert(model, number_format="float32")
    ways = goal_measures(model, lambda smaller: content)
    assert ways["macs"](model) == 1.0
    assert ways["size_kb"](model) == len(content) / 1000
    assert ways["worst_latency_ms"](model) > 0
