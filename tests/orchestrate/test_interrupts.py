"""Signals that ask a run to stop: once, and never in the middle of the clean-up."""

import signal
import threading
from collections.abc import Iterator

import pytest

from kdtasks.orchestrate.processes import STOPS, stop_signals, uninterrupted


@pytest.fixture(params=STOPS)
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that is not ignored, as SIGHUP is where the tests run under nohup."""
    before = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_the_first_raises_and_those_after_it_do_nothing(number: signal.Signals, capsys):
    before = signal.getsignal(number)
    with stop_signals() as is_stopping:
        assert not is_stopping()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert capsys.readouterr().err == "stopping …\n"
        for later in STOPS:
            signal.raise_signal(later)
        assert is_stopping()
        assert capsys.readouterr().err == ""
    assert signal.getsignal(number) is before


def test_what_was_ignored_still_is():
    """As SIGHUP is under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals() as is_stopping:
            signal.raise_signal(signal.SIGHUP)
            assert not is_stopping()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_block_is_finished_before_a_signal_counts():
    steps: list[str] = []

    def run() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            steps.append("through")
        steps.append("never")

    with pytest.raises(KeyboardInterrupt):
        run()
    assert steps == ["through"]


def test_an_error_of_the_block_goes_before_a_signal():
    def run() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run()


def test_both_do_nothing_in_other_threads():
    """Only the main thread may set handlers."""
    seen: list[bool] = []

    def work() -> None:
        with stop_signals() as is_stopping, uninterrupted():
            seen.append(is_stopping())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
