"""A share of `python -m benchmarks.hostile requests`."""

from pathlib import Path

from benchmarks.hostile.attack import run
from benchmarks.hostile.requests import Requests


def test_broken_requests_are_refused_and_fail_nothing(tmp_path: Path):
    count, broken = run(Requests(), 300, tmp_path / "work")
    # seconds are shown, not judged: the machine may be busy
    assert [line for line in broken if "traceback" in line or "died" in line] == []
    assert count.answered > 0
    assert count.refused > count.trials / 4
    assert count.refused + count.answered == count.trials == 300
