"""Progress: a line every five seconds with speed and time left, and the same as an event."""

from dataclasses import replace
from pathlib import Path

import pytest

from kdtasks.core.events import VARIABLE, ProgressEvent, tail
from kdtasks.core.progress import with_progress


def test_a_line_says_speed_and_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "events.jsonl"))
    clock = iter(range(0, 100, 2))  # two seconds an image
    done = list(with_progress("abcde", 5, "reading", clock=lambda: float(next(clock))))
    assert done == list("abcde")
    # after 6 s three of five: half an image a second, and 4 s for the other two
    assert capsys.readouterr().out == "reading: 3 of 5  0 images/s  4.0 s left\n"
    (event,), _ = tail(tmp_path / "events.jsonl")
    assert isinstance(event, ProgressEvent)
    assert replace(event, time=0.0) == ProgressEvent(3, 5, "image", 0.5, time=0.0)


def test_what_is_done_soon_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(with_progress(range(1000), 1000, "reading")) == list(range(1000))
    assert capsys.readouterr().out == ""
