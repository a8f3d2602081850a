"""What came out, as a page, as rows and in a sentence."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdtasks.core.files import read_json
from kdtasks.orchestrate.runner.graph import Outcome, StageState
from kdtasks.orchestrate.search.record import VariantSearchSummary
from kdtasks.orchestrate.search.summary import limits_text, rows, summarise, write_page
from kdtasks.orchestrate.search.trial import TrialResult, broken_limits
from kdtasks.params.search import SearchParams
from tests.tools.records import latency

LIMITS = SearchParams(max_size_kb=20.0, max_accuracy_drop=0.01)
INT8 = TrialResult(
    accuracy=0.98,
    accuracy_drop=0.005,
    bytes=23_560,
    gzip_bytes=17_202,
    latency_ms=latency(0.07, worst=0.1),
    macs=1.0,
    cached=True,
)
FILTERS = TrialResult(
    accuracy=0.94,
    accuracy_drop=0.045,
    bytes=19_000,
    gzip_bytes=17_202,
    latency_ms=latency(0.07, worst=0.1),
    macs=0.5,
    seconds=164.0,
)
PARAMS = SimpleNamespace(recipe="digits")
RESULTS = {"int8": INT8, "filters+int8": FILTERS}
OUTCOMES = {
    "int8": Outcome(StageState.COMPLETED),
    "qat+int8": Outcome(StageState.SKIPPED, message="it would be like int8"),
    "filters+int8": Outcome(StageState.CACHED),
    "filters+qat+int8": Outcome(StageState.FAILED, message="filters+qat+int8: stage broke"),
}


def summary(results: dict[str, TrialResult], winner: str | None = None) -> VariantSearchSummary:
    points: list[Any] = []
    for label in OUTCOMES:
        about = {
            "label": label,
            "experiment": f"search-{label}",
            "settings": {"compress.variants": [label]},
        }
        points.append(SimpleNamespace(**about, about=about, params=PARAMS))
    plan: Any = SimpleNamespace(
        limits=LIMITS, metric="macro-F1", sweep=SimpleNamespace(points=points)
    )
    engine: Any = SimpleNamespace(
        winner=winner,
        result=results.get,
        broken=lambda label: broken_limits(results[label], LIMITS, "macro-F1"),
    )
    return summarise(plan, engine, OUTCOMES)


def test_the_nearest_is_named_with_what_stands_in_its_way():
    found = summary(RESULTS)
    assert found.nearest == "int8"  # 1.18 times too large, filters lose 4.5 times too much
    assert found.sentence.replace("\u00a0", " ") == (
        "None of 2 variants tried for at most 20.0 kB, 1.0 points lost is within all limits. "
        "int8 comes nearest: its size, 23.6 kB, is over 20.0 kB (max_size_kb). "
        "Raise search.max_size_kb, give more minutes where trials were skipped for time, "
        "or train longer."
    )
    assert found.adopt == (
        'in params.yaml compress.variants: ["int8"]', "or dvc exp apply search-int8"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        ({}, "No variant was tried; the reasons stand beside them."),
        (
            {"int8": TrialResult(refused="no")},
            "None of 1 variant tried for at most 20.0 kB, 1.0 points lost can be used; the "
            "reasons stand beside them.",
        ),
    ],
)
def test_where_nothing_can_be_had_it_is_said(results: Any, sentence: str):
    found = summary(results)
    assert found.sentence.replace("\u00a0", " ") == sentence
    assert found.nearest is None
    assert found.adopt == ()


def test_rows_say_what_ran_and_why_the_others_did_not():
    int8, qat, filters, failed = rows(summary(RESULTS))
    assert int8["limits"].replace("\u00a0", " ") == "size, 23.6 kB, is over 20.0 kB"
    assert int8["latency"].replace("\u00a0", " ") == "mean 0.070 ms"
    assert (int8["time"], filters["time"]) == ("cached", "2:44")
    assert filters["limits"].replace("\u00a0", " ") == (
        "drop in validation macro-F1, 4.5 points, is over 1.0 points"
    )
    assert filters["lost"].replace("\u00a0", " ") == "−4.5 points"
    assert qat["limits"] == "skipped: it would be like int8"
    assert failed["limits"] == "failed: stage broke"


def test_the_page_and_its_figures(tmp_path: Path):
    content = summary(RESULTS, winner="filters+int8")
    page = write_page(tmp_path / "out", content)
    path = tmp_path / "out" / "search.json"
    assert VariantSearchSummary.read(path) == content
    assert read_json(path)["limits"]["latency_statistic"] == "mean"  # its default as well
    text = page.read_text(encoding="utf-8")
    assert text.count('<tr class="chosen">') == 1
    assert "filters+int8 is within all limits: the cheapest of 2 variants tried" in text
    assert "<th>macro-F1</th><th>lost</th>" in text
    assert "skipped: it would be like int8" in text
    assert "or dvc exp apply search-filters+int8" in text


def test_limits_are_written_with_their_units():
    limits = SearchParams(
        max_size_kb=20.0, max_gzip_kb=9.0, max_latency_ms=0.2, max_macs=0.5, max_accuracy_drop=0.0
    )
    assert limits_text(limits).replace("\u00a0", " ") == (
        "at most 20.0 kB, 9.0 kB gzipped, 0.20 ms mean latency, 50.0 % of the compute, "
        "0.0 points lost"
    )
