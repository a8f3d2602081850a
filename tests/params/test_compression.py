"""Settings of the passes that contradict themselves."""

import pytest

from kdtasks.params.compression import FiltersParams


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"mac": 0.5}, r"target names mac; give one of macs, latency_ms, size_kb; .*'macs'\?"),
        ({"macs": 0.5, "size_kb": 3.0}, "target names macs, size_kb; give one of"),
        ({}, "target names nothing; give one of"),
        ({"macs": 1.0}, r"target\.macs is 1\.0, a share of the student's; give less than 1"),
    ],
)
def test_a_target_is_one_goal(target, message):
    with pytest.raises(ValueError, match=message):
        FiltersParams(target=target)


def test_goals_are_taken():
    for goal in ({"macs": 0.5}, {"latency_ms": 0.2}, {"size_kb": 40.0}):
        assert FiltersParams(target=goal).target == goal
