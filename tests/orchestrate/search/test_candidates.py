"""What is tried, and in which order."""

from typing import Any

import pytest

from kdtasks.compress.variants import CompressParams, check_variant
from kdtasks.orchestrate.search.candidates import Candidate, search_space
from kdtasks.params.search import SearchParams

COMPRESS = CompressParams(variants=("int8",))
CONVERSIONS = ["float32", "float16", "dynamic_int8", "int8", "int16x8", "qat+int8"]


def space(
    *, early_exits: bool = False, device: str | None = None, **limits: Any
) -> list[Candidate]:
    params = SearchParams(**limits)
    return search_space(params, COMPRESS, early_exits=early_exits, device=device)


def labels(**limits: Any) -> list[str]:
    return [candidate.label for candidate in space(**limits)]


def test_conversions_come_first_and_filters_are_searched_for():
    assert labels(max_size_kb=20.0) == [*CONVERSIONS, "filters+int8", "filters+qat+int8"]
    *_, candidate = space(max_size_kb=20.0, max_macs=0.5)
    assert candidate.settings == {"compress.passes.filters.target": {"size_kb": 20.0, "macs": 0.5}}
    assert candidate.epochs == 8 + 4  # of filters and of qat


def test_a_limit_in_milliseconds_is_searched_for_with_some_to_spare_and_without_int8_too():
    candidates = space(max_latency_ms=0.2)
    assert [candidate.label for candidate in candidates[4:8]] == [
        "int16x8", "space_to_depth+int8", "qat+int8", "qat+space_to_depth+int8"
    ]  # fmt: skip
    assert [candidate.label for candidate in candidates[8:]] == [
        "filters+int8", "filters+float16", "filters+space_to_depth+int8",
        "filters+qat+int8", "filters+qat+space_to_depth+int8",
    ]  # fmt: skip
    assert candidates[-1].settings == {
        "compress.passes.filters.target": {"worst_latency_ms": pytest.approx(0.19)}
    }


def test_where_images_leave_is_not_known_before_the_file_so_fractions_grow():
    limits: dict[str, Any] = {"max_latency_ms": 0.2, "early_exits": True}
    ratios = [f"filters+int8, ratio {ratio}" for ratio in (0.25, 0.5, 0.75)]
    assert [label for label in labels(**limits) if label.startswith("filters+int8")] == ratios
    by_worst = labels(**limits, latency_statistic="worst")
    assert by_worst == labels(max_latency_ms=0.2)
    both = [it for it in space(**limits, max_size_kb=20.0) if it.variant == "filters+int8"]
    assert [it.label for it in both] == ["filters+int8", *ratios]
    assert both[0].settings == {"compress.passes.filters.target": {"size_kb": 20.0}}


def test_what_a_device_will_take_is_not_known_before_the_file_either():
    limits: dict[str, Any] = {"max_latency_ms": 0.2, "latency_statistic": "worst"}
    assert labels(**limits, device="ssh://pi") == labels(max_latency_ms=0.2, early_exits=True)
    assert labels(max_size_kb=20.0, device="ssh://pi") == labels(max_size_kb=20.0)


def test_sizes_after_gzip_bring_shared_values_and_growing_shares_of_filters():
    assert labels(max_gzip_kb=9.0) == [
        *CONVERSIONS, "cluster+int8", "magnitude+int8", "cluster+qat+int8",
        *(f"filters+int8, ratio {ratio}" for ratio in (0.25, 0.5, 0.75)),
        *(f"filters+cluster+int8, ratio {ratio}" for ratio in (0.25, 0.5, 0.75)),
        *(f"filters+qat+int8, ratio {ratio}" for ratio in (0.25, 0.5, 0.75)),
    ]  # fmt: skip
    assert "filters+int8" in labels(max_gzip_kb=9.0, max_size_kb=20.0)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_latency_ms": 0.1, "early_exits": True},
        {"max_gzip_kb": 9.0, "max_latency_ms": 0.1},
        {"max_size_kb": 20.0},
    ],
)
def test_a_rung_leans_on_earlier_ones_and_is_a_variant(limits):
    seen: set[str] = set()
    for candidate in space(**limits):
        check_variant(candidate.variant)
        assert {candidate.like, candidate.only_if_over} - {None} <= seen
        assert candidate.label not in seen
        seen.add(candidate.label)
