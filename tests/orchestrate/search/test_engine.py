"""What decides over a trial before it runs: limits that others broke, and the time that is left."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdtasks.compress.variants import CompressParams
from kdtasks.orchestrate.runner.graph import Outcome, StageState
from kdtasks.orchestrate.search.budget import Budget
from kdtasks.orchestrate.search.candidates import search_space
from kdtasks.orchestrate.search.engine import SearchEngine, SearchPlan
from kdtasks.orchestrate.search.trial import TrialResult
from kdtasks.orchestrate.sweep.engine import SweepEngine
from kdtasks.params.search import SearchParams
from tests.tools.records import latency

COMPRESS = CompressParams(variants=("int8",))
GOOD = TrialResult(
    accuracy=0.97,
    accuracy_drop=0.0,
    bytes=10_000,
    gzip_bytes=5_000,
    latency_ms=latency(0.1),
    macs=1.0,
)


def changed(result: TrialResult, **values: Any) -> TrialResult:
    return result.model_copy(update=values)


class Search:
    """A search whose trials end with the results that a test gives."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, early_exits: bool = False, **limits: Any
    ) -> None:
        self.now, self.results, self.ran = 0.0, dict[str, TrialResult](), list[str]()
        self.limits = SearchParams.model_validate(limits)
        space = search_space(self.limits, COMPRESS, early_exits=early_exits)
        candidates = {it.label: it for it in space}
        self.labels = list(candidates)
        params = SimpleNamespace(metric=SimpleNamespace(name="accuracy"))
        points = [
            SimpleNamespace(label=label, experiment=label, params=params) for label in self.labels
        ]
        sweep: Any = SimpleNamespace(project=Path(), points=points, done={})
        plan = SearchPlan(self.limits, candidates, sweep)
        self.engine = SearchEngine(plan, Budget(self.limits.minutes, now=lambda: self.now))

        def run(engine: Any, name: str, on_line: Any, is_cancelled: Any) -> Outcome:
            result = self.results.get(name, changed(GOOD, accuracy_drop=0.5, seconds=10.0))
            self.ran.append(name)
            self.now += result.seconds or 0.0
            if is_cancelled():
                return Outcome(StageState.CANCELLED, message="stopped")
            engine.results[name] = result
            return Outcome(StageState.COMPLETED)

        monkeypatch.setattr(SweepEngine, "bring_up_to_date", run)

    def run(self) -> dict[str, str]:
        """Why each trial was left out; none where it ran."""
        ends = {
            label: self.engine.bring_up_to_date(label, lambda line: None, lambda: False)
            for label in self.labels
        }
        return {
            label: end.message for label, end in ends.items() if end.state is StageState.SKIPPED
        }


def test_the_first_within_all_limits_ends_it(monkeypatch: pytest.MonkeyPatch):
    search = Search(monkeypatch, max_size_kb=20.0)
    search.results = {"dynamic_int8": GOOD}
    left_out = search.run()
    assert search.engine.winner == "dynamic_int8"
    assert search.ran == ["float32", "float16", "dynamic_int8"]
    assert left_out == dict.fromkeys(search.labels[3:], "dynamic_int8 is within all limits")


def test_compute_is_saved_by_filters_alone(monkeypatch: pytest.MonkeyPatch):
    """So no conversion and no training helps, though none of them has shown it."""
    search = Search(monkeypatch, max_macs=0.5)
    search.results = {"filters+qat+int8": changed(GOOD, macs=0.4)}
    left_out = search.run()
    assert search.ran == ["float32", "filters+int8"]
    reason = "fraction of compute, 100.0\u00a0%, is over 50.0\u00a0% (max_macs)"
    assert left_out["int8"] == f"it would be like float32: {reason}"
    assert left_out["qat+int8"] == f"it would be like int8: {reason}"
    # filters+int8 has lost accuracy and, in this test, saved nothing
    assert left_out["filters+qat+int8"] == f"it would be like filters+int8: {reason}"


def test_a_refused_variant_takes_those_like_it_along(monkeypatch: pytest.MonkeyPatch):
    search = Search(monkeypatch, max_size_kb=5.0)
    search.results = {"filters+int8": TrialResult(refused="out of reach")}
    left_out = search.run()
    assert left_out["filters+qat+int8"] == "it would be like filters+int8: refused: out of reach"


def test_where_nothing_can_be_rewritten_it_is_with_fewer_filters_that_it_may(
    monkeypatch: pytest.MonkeyPatch,
):
    """64 filters fill a kernel, 48 of them do not."""
    search = Search(monkeypatch, max_latency_ms=0.05)
    search.results = {"space_to_depth+int8": TrialResult(refused="would gain nothing")}
    left_out = search.run()
    assert left_out["qat+space_to_depth+int8"] == (
        "it would be like space_to_depth+int8: refused: would gain nothing"
    )
    assert "filters+space_to_depth+int8" in search.ran


def test_another_training_may_leave_earlier(monkeypatch: pytest.MonkeyPatch):
    """The mean depends on thresholds, which every file has of its own; the worst case does not."""
    slow = changed(GOOD, accuracy_drop=0.5, latency_ms=latency(0.2))
    for statistic, runs in (("mean", True), ("worst", False)):
        limits = {"max_latency_ms": 0.1, "latency_statistic": statistic}
        search = Search(monkeypatch, early_exits=True, **limits)
        search.results = dict.fromkeys(search.labels, slow)
        left_out = search.run()
        assert ("qat+int8" in search.ran) == runs
        if not runs:
            reason = "whole-network latency, 0.20\u00a0ms, is over 0.10\u00a0ms (max_latency_ms)"
            assert left_out["qat+int8"] == f"it would be like int8: {reason}"


def test_blocks_are_left_alone_on_a_processor_that_they_slow_down(monkeypatch: pytest.MonkeyPatch):
    search = Search(monkeypatch, max_latency_ms=0.05)
    search.results = {"space_to_depth+int8": changed(GOOD, latency_ms=latency(0.2))}
    left_out = search.run()
    reason = "space_to_depth+int8 is no faster than int8 here"
    for passes in ("filters", "filters+qat"):
        assert left_out[f"{passes}+space_to_depth+int8"] == reason
    assert "filters+int8" in search.ran


def test_a_file_too_far_from_its_network_says_nothing_of_others(monkeypatch: pytest.MonkeyPatch):
    search = Search(monkeypatch, max_size_kb=20.0)
    broken = {label: changed(GOOD, parity="too far") for label in search.labels}
    search.results = {**broken, "qat+int8": GOOD}
    left_out = search.run()
    assert search.engine.winner == "qat+int8"
    # Fewer filters would not bring it nearer.
    assert left_out["filters+int8"] == "qat+int8 is within all limits"
    search = Search(monkeypatch, max_size_kb=20.0)
    search.results = broken
    left_out = search.run()
    assert search.engine.winner is None
    assert left_out["filters+int8"] == "int8 needs no fewer filters for these limits"


def test_a_gzip_limit_may_be_met_by_shared_values(monkeypatch: pytest.MonkeyPatch):
    search = Search(monkeypatch, max_gzip_kb=4.0)
    search.results = {"cluster+int8": changed(GOOD, gzip_bytes=3_900)}
    assert search.run()["qat+int8"].startswith("it would be like int8: gzipped size")
    assert search.engine.winner == "cluster+int8"


def test_a_trial_that_would_outlast_the_time_is_left_out(monkeypatch: pytest.MonkeyPatch):
    slow = changed(GOOD, accuracy_drop=0.5, bytes=30_000)
    search = Search(monkeypatch, max_size_kb=20.0, minutes=3.0)
    search.results = {label: changed(slow, seconds=10.0) for label in search.labels[:5]}
    search.results["int8"] = changed(GOOD, accuracy_drop=0.5, seconds=10.0, bytes=20_500)
    search.results["filters+int8"] = changed(GOOD, accuracy_drop=0.5, seconds=90.0)
    left_out = search.run()
    assert search.ran[-1] == "filters+int8"
    assert search.now == 130.0  # conversions but int16x8, then filters
    # an epoch took (90 − 10) / 8 = 10 s: 12 of them and a conversion
    assert left_out["filters+qat+int8"] == "it would take about 2:10, 50 s are left"


def test_a_training_out_of_the_cache_tells_nothing(monkeypatch: pytest.MonkeyPatch):
    search = Search(monkeypatch, max_size_kb=20.0, minutes=3.0)
    slow = changed(GOOD, accuracy_drop=0.5, bytes=30_000, seconds=10.0)
    search.results = dict.fromkeys(search.labels[:5], slow)
    search.results["filters+int8"] = changed(GOOD, accuracy_drop=0.5, seconds=90.0, cached=True)
    search.results["filters+qat+int8"] = changed(GOOD, seconds=40.0)
    assert "filters+qat+int8" not in search.run()  # else 10 s an epoch, as in the test above
    assert search.engine.winner == "filters+qat+int8"


def test_a_trial_that_outlasts_the_time_is_stopped(monkeypatch: pytest.MonkeyPatch):
    search = Search(monkeypatch, max_size_kb=20.0, minutes=0.5)
    search.results = {"float16": changed(GOOD, accuracy_drop=0.5, seconds=25.0)}
    left_out = search.run()
    assert search.ran == ["float32", "float16"]
    assert left_out["float16"] == "stopped, the time is up; the next call resumes"
    assert left_out["int8"] == "the time is up"
    assert search.engine.result("float16") is None


def test_what_was_done_before_takes_no_time(monkeypatch: pytest.MonkeyPatch):
    search = Search(monkeypatch, max_size_kb=20.0, minutes=0.1)
    search.engine.results["float32"] = changed(GOOD, accuracy_drop=0.5, seconds=500.0)
    search.run()
    assert search.ran[0] == "float32"  # handed on, which gives what was kept
