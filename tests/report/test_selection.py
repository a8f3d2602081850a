"""The choice by limits, the front and the sentence when nothing fits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.records.report import Selection, VariantMetrics
from kdtasks.core.text import SPACE
from kdtasks.report.inputs import SelectParams
from kdtasks.report.selection import pareto_front, select
from kdtasks.tasks.task import AGREEMENT
from tests.tools.records import latency


def metrics(
    refused: str | None,
    accuracy: float | None,
    accuracy_drop: float | None,
    size: int | None,
    latency_ms: float | None,
    macs: float | None = None,
) -> VariantMetrics:
    return VariantMetrics(
        refused=refused,
        accuracy=accuracy,
        accuracy_drop=accuracy_drop,
        bytes=size,
        latency_ms=None if latency_ms is None else latency(latency_ms),
        macs=macs,
    )


CANDIDATES = {
    "float32": metrics(None, 0.96, 0.0, 40_000, 0.06),
    "int8": metrics(None, 0.94, 0.96 - 0.94, 12_000, 0.05),
    "filters+int8": metrics(None, 0.91, 0.05, 7_000, 0.02),
    "magnitude+int8": metrics("the model has no kernels", None, None, None, None),
}


def choose(**limits: Any) -> Selection:
    defaults = {"max_accuracy_drop": 0.02, "objective": "size"}
    return select(CANDIDATES, SelectParams(**{**defaults, **limits}))


@pytest.mark.parametrize(
    ("limits", "chosen"),
    [
        ({}, "int8"),  # its drop is 0.02 and a rounding error: within
        ({"max_accuracy_drop": 0.019}, "float32"),
        ({"max_accuracy_drop": 0.05}, "filters+int8"),
        ({"objective": "accuracy"}, "float32"),
        ({"objective": "accuracy", "max_size_kb": 12.0}, "int8"),
        ({"objective": "latency", "max_accuracy_drop": None}, "filters+int8"),
        ({"objective": "latency"}, "int8"),
        ({"max_latency_ms": 0.05}, "int8"),
    ],
)
def test_best_within_the_limits(limits: dict[str, Any], chosen: str) -> None:
    assert choose(**limits).chosen == chosen


def test_without_labels_what_is_lost_is_agreement() -> None:
    limits = SelectParams(max_accuracy_drop=None, max_agreement_drop=0.02, objective="size")
    found = select(CANDIDATES, limits, AGREEMENT)
    assert found.chosen == "int8"
    assert found.candidates["filters+int8"].reasons == (
        f"its drop in validation agreement with the teacher, 5.0{SPACE}points, is over "
        f"2.0{SPACE}points (max_agreement_drop)",
    )
    nearest = select(CANDIDATES, limits.model_copy(update={"objective": "accuracy"}), AGREEMENT)
    assert "the closest to the teacher of 2 variants within the limits" in nearest.sentence


def test_reasons_name_the_limit_and_both_numbers() -> None:
    result = choose(max_size_kb=12.0)
    assert result.candidates["float32"].reasons == (
        "its size, 40.0\u00a0kB, is over 12.0\u00a0kB (max_size_kb)",
    )
    assert result.candidates["int8"].within is True
    assert result.candidates["filters+int8"].reasons == (
        "its drop in validation accuracy, 5.0\u00a0points, is over 2.0\u00a0points "
        "(max_accuracy_drop)",
    )
    assert result.candidates["magnitude+int8"].reasons == ("the model has no kernels",)
    assert result.sentence == "int8 is shipped: the only variant within the limits."


def test_nothing_fits_names_the_nearest_miss() -> None:
    # Factors over the limits: float32 4, int8 1.2, filters+int8 2.5 (drop 0.05 of 0.02).
    result = choose(max_size_kb=10.0)
    assert result.chosen is None
    assert result.nearest == "int8"
    assert result.sentence.startswith(
        "No variant is within the limits. int8 comes nearest: its size, 12.0\u00a0kB, is over"
    )
    assert "Raise max_size_kb under select" in result.sentence


def test_all_refused_says_why() -> None:
    refused = {"int8": metrics("no int8 kernel", None, None, None, None)}
    result = select(refused, SelectParams())
    assert (result.chosen, result.nearest, result.pareto) == (None, None, ())
    assert result.sentence == "No variant can be shipped. int8: no int8 kernel."


def test_a_limit_without_its_measurement_is_not_met() -> None:
    untimed = {"int8": metrics(None, 0.95, 0.0, 10_000, None)}
    assert select(untimed, SelectParams()).chosen == "int8"
    timed = select(untimed, SelectParams(max_latency_ms=1.0))
    assert timed.candidates["int8"].reasons == ("its mean latency was not measured",)
    fastest = select(untimed, SelectParams(objective="latency"))
    assert fastest.candidates["int8"].reasons == ("its latency was not measured",)


def test_the_statistic_that_is_named_is_held_against_the_limit() -> None:
    times = latency(0.2, p50=0.3, p90=0.3, p99=0.3, worst=0.31)
    timed = {"int8": CANDIDATES["int8"].model_copy(update={"latency_ms": times})}
    limits: dict[str, Any] = {"max_accuracy_drop": 0.02, "max_latency_ms": 0.25}
    assert select(timed, SelectParams(**limits)).chosen == "int8"
    for statistic, name, value in (("p50", "median", "0.30"), ("worst", "whole-network", "0.31")):
        judged = SelectParams.model_validate({**limits, "latency_statistic": statistic})
        result = select(timed, judged)
        assert result.chosen is None
        assert result.limits.latency_statistic == statistic
        assert [reason.replace("\u00a0", " ") for reason in result.candidates["int8"].reasons] == [
            f"its {name} latency, {value} ms, is over 0.25 ms (max_latency_ms)"
        ]


def test_the_fastest_is_the_fastest_by_the_statistic_that_is_named() -> None:
    """The median of `early` is an early exit's time, its mean that of a mix."""
    early = CANDIDATES["int8"].model_copy(update={"latency_ms": latency(0.3, p50=0.1)})
    even = CANDIDATES["int8"].model_copy(update={"latency_ms": latency(0.2)})
    limits: dict[str, Any] = {"objective": "latency", "max_accuracy_drop": 0.02}
    for statistic, chosen in (("mean", "even"), ("p50", "early")):
        judged = SelectParams.model_validate({**limits, "latency_statistic": statistic})
        result = select({"early": early, "even": even}, judged)
        assert (result.chosen, result.pareto) == (chosen, (chosen,))


def test_front_leaves_out_what_is_beaten() -> None:
    worse = metrics(None, 0.93, 0.03, 13_000, 0.05)
    assert front({**CANDIDATES, "worse": worse}) == ["float32", "int8", "filters+int8"]
    # Equal ones do not beat each other; a latency that is not known beats nobody.
    twin = CANDIDATES["int8"].model_copy(update={"latency_ms": None})
    assert front({"a": CANDIDATES["int8"], "b": CANDIDATES["int8"], "c": twin}) == ["a", "b"]


def test_less_compute_alone_is_enough_for_the_front() -> None:
    lean = CANDIDATES["int8"].model_copy(update={"accuracy": 0.93, "macs": 10.0})
    rich = CANDIDATES["int8"].model_copy(update={"macs": 20.0})
    assert front({"rich": rich, "lean": lean}) == ["rich", "lean"]
    assert front({"rich": rich, "lean": lean.model_copy(update={"macs": 20.0})}) == ["rich"]
    assert front({"rich": rich, "lean": lean.model_copy(update={"macs": None})}) == ["rich"]


def front(candidates: dict[str, VariantMetrics]) -> list[str]:
    return pareto_front(candidates, "mean")


candidate = st.builds(
    metrics,
    st.none(),
    st.floats(0, 1),
    st.floats(0, 0.1),
    st.integers(1, 50_000),
    st.floats(0.01, 1) | st.none(),
    macs=st.floats(1, 1e9) | st.none(),
)


@given(st.dictionaries(st.text(min_size=1), candidate, min_size=1), st.floats(1, 50))
def test_choice_is_within_and_smallest(candidates: dict[str, VariantMetrics], most: float) -> None:
    result = select(candidates, SelectParams(max_size_kb=most, max_accuracy_drop=0.05))
    within = [name for name, entry in result.candidates.items() if entry.within]
    assert result.pareto
    if result.chosen is None:
        assert within == []
        assert result.nearest in candidates
    else:
        sizes = {name: candidates[name].bytes or 0 for name in within}
        assert sizes[result.chosen] == min(sizes.values())


def test_smaller_is_not_always_faster_and_the_reason_says_so() -> None:
    small = {
        "float32": metrics(None, 0.96, 0.0, 64_100, 0.017),
        "int8": metrics(None, 0.96, 0.0, 21_400, 0.045),
    }
    chosen = {
        objective: select(small, SelectParams.model_validate({"objective": objective}))
        for objective in ("size", "latency", "size_and_latency")
    }
    # 64.1 × 0.017 = 1.09 and 21.4 × 0.045 = 0.96
    assert [one.chosen for one in chosen.values()] == ["int8", "float32", "int8"]
    assert chosen["size"].reason == (
        "the smallest of 2 variants within the limits; float32 is faster "
        f"(0.017{SPACE}ms, 64.1{SPACE}kB)"
    )
    assert chosen["latency"].reason == (
        "the fastest of 2 variants within the limits; int8 is smaller "
        f"(0.045{SPACE}ms, 21.4{SPACE}kB)"
    )
    assert chosen["size"].sentence == f"int8 is shipped: {chosen['size'].reason}."
    slower = small | {"int8": metrics(None, 0.96, 0.0, 21_400, 0.055)}  # 1.18
    limits = SelectParams.model_validate({"objective": "size_and_latency"})
    assert select(slower, limits).chosen == "float32"


def test_a_little_faster_is_not_told() -> None:
    near = {
        "float32": metrics(None, 0.96, 0.0, 40_000, 0.046),
        "int8": metrics(None, 0.96, 0.0, 12_000, 0.05),
    }
    reason = select(near, SelectParams.model_validate({"objective": "size"})).reason
    assert reason == "the smallest of 2 variants within the limits"
