"""Settings of the passes that contradict themselves."""

import pytest

from kdtasks.compress.passes.filters import Filters


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            {"mac": 0.5},
            r"target names mac; give one or more of macs, worst_latency_ms, size_kb; .*'macs'\?",
        ),
        ({"macs": 0.5, "size": 3.0}, "target names size; give one or more of .*'size_kb'"),
        ({}, "target names nothing; give one or more of"),
        ({"macs": 1.0}, r"target\.macs is 1\.0, a fraction of the student's; give less than 1"),
    ],
)
def test_targets_are_known(target, message):
    with pytest.raises(ValueError, match=message):
        Filters(target=target)


def test_goals_are_taken():
    for goal in ({"macs": 0.5}, {"worst_latency_ms": 0.2}, {"size_kb": 40.0, "macs": 0.3}):
        assert Filters(target=goal).target == goal
