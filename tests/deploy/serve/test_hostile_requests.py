"""A share of `python -m benchmarks.hostile.requests`."""

import logging
from pathlib import Path

import pytest

from benchmarks.hostile import requests


def test_broken_requests_are_refused_and_fail_nothing(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(requests, "PATIENCE_SECONDS", 0.05)
    with caplog.at_level(logging.ERROR):
        counts = requests.attack(bundle, count=300, seed=0)
    assert counts["200"]
    assert counts["400"] > 50
    assert "Traceback" not in caplog.text
