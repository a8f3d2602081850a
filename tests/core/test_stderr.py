"""Lines of native code: held back, passed on, or all shown where the work failed."""

import os
import threading

import pytest

from kdtasks.core.stderr import held_stderr, is_no_information


def native(text: str) -> None:
    """Write as C++ does, past Python's sys.stderr."""
    os.write(2, text.encode())


def test_what_is_held_back_is_known_and_not_written(capfd: pytest.CaptureFixture[str]):
    with held_stderr() as told:
        native("chatter\n")
        assert told() == "chatter\n"
        native("more\n")
    assert told_after(capfd) == ""


def test_warnings_and_errors_pass_where_information_does_not(capfd: pytest.CaptureFixture[str]):
    with held_stderr(is_no_information):
        native("INFO: Created a delegate.\nERROR: no kernel\nWARNING: slow\nhalf a line")
    assert told_after(capfd) == "ERROR: no kernel\nWARNING: slow\nhalf a line"


def test_all_is_written_where_the_block_fails(capfd: pytest.CaptureFixture[str]):
    def fail() -> None:
        with held_stderr():
            native("INFO: the reason\n")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert told_after(capfd) == "INFO: the reason\n"


def test_threads_that_hold_it_at_once_leave_it_as_it_was(capfd: pytest.CaptureFixture[str]):
    begun, barrier = [], threading.Barrier(4)

    def hold() -> None:
        barrier.wait()
        for _ in range(20):
            with held_stderr():
                begun.append(1)
                native("chatter\n")

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    native("after\n")
    assert len(begun) == 80
    assert told_after(capfd) == "after\n"


def told_after(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().err
