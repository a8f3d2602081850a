"""Every statistical promise, in a simulation smaller than that of docs/evidence.md."""

import json

import pytest

from benchmarks.evidence.__main__ import MARK, PAGE, PROMISES, RESULTS, render


@pytest.mark.parametrize("name", PROMISES)
def test_the_promise_is_kept(name: str) -> None:
    promise = PROMISES[name]
    for rate in promise.simulate(promise.few):
        assert rate.kept(), rate


def test_the_page_shows_what_was_measured() -> None:
    results = json.loads(RESULTS.read_text())
    assert set(results) == set(PROMISES)
    assert PAGE.read_text().split(MARK)[1] == f"\n{render(results)}"
