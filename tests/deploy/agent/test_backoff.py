"""Pauses between attempts."""

from kdtasks.deploy.agent.worker import Backoff


def test_pauses_grow_with_failures_and_end_with_success():
    backoff = Backoff(10.0, longest=100.0)
    assert 9 <= backoff.after_success() <= 11
    for longest in (20, 40, 80, 100, 100):
        assert longest / 2 <= backoff.after_failure() <= longest
    assert 9 <= backoff.after_success() <= 11
    assert 10 <= backoff.after_failure() <= 20


def test_a_fleet_does_not_ask_in_step():
    assert len({Backoff(10.0).after_success() for _ in range(20)}) == 20
    assert len({Backoff(10.0).after_failure() for _ in range(20)}) == 20


def test_the_longest_pause_is_no_shorter_than_the_interval():
    assert Backoff(1000.0, longest=1.0).after_failure() >= 500.0
