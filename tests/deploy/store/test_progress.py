import io
import sys

import pytest

from kdtasks.deploy.store.progress import NO_PROGRESS, LineProgress, show_progress


def test_nothing_is_shown_of_what_is_quick(capsys: pytest.CaptureFixture[str]):
    with show_progress("uploading") as progress:
        progress.expect(10)
        progress.advance(10)
    assert capsys.readouterr() == ("", "")


def test_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]
    monkeypatch.setattr("kdtasks.deploy.store.progress.time.monotonic", lambda: clock[0])
    stream = io.StringIO()
    progress = LineProgress("downloading", stream)
    progress.expect(4_000_000)
    for clock[0] in (1.0, 6.0, 7.0, 12.0):
        progress.advance(1_000_000)
    assert stream.getvalue() == "downloading: 2.0 MB 50%\ndownloading: 4.0 MB 100%\n"


def test_without_a_total(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kdtasks.deploy.store.progress._LINE_SECONDS", -1.0)
    stream = io.StringIO()
    LineProgress("downloading", stream).advance(500_000)
    assert stream.getvalue().strip() == "downloading: 0.5 MB"


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with show_progress("uploading") as progress:
        progress.expect(10)
        progress.advance(5)
    assert "uploading" in stream.getvalue()


def test_no_progress_at_all():
    NO_PROGRESS.expect(1)
    NO_PROGRESS.advance(1)
