"""The numbers behind the page."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.files import read_json, write_json
from kdtasks.core.records.report import Curve
from kdtasks.report.statistics import mean_curves


def test_curves_are_averaged_over_the_epochs_all_seeds_have() -> None:
    curves = mean_curves(
        {
            0: [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.5}, {"epoch": 3, "loss": 0.1}],
            1: [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": None}],
        }
    )
    assert curves == {"loss": Curve(epoch=(1,), mean=(1.5,), low=(1.0,), high=(2.0,), seeds=2)}
    assert mean_curves({0: []}) == {}


def test_statistics_repeat_the_files(build: Callable[..., Path]) -> None:
    report = build()
    statistics = read_json(report / "statistics.json")
    compare = read_json(report.parent / "metrics/compare.json")
    evaluate = read_json(report.parent / "metrics/evaluate/int8.json")
    assert statistics["gain"] == compare["gain"]
    assert statistics["distill"]["by_seed"] == compare["distill"]["by_seed"]
    assert statistics["variants"]["int8"]["test"] == evaluate
    change = statistics["variants"]["int8"]["exit_change"]
    assert change["mean"] == pytest.approx(evaluate["accuracy"] - evaluate["full"]["accuracy"])
    assert change["interval"][0] < change["mean"] < change["interval"][1]
    assert statistics["exit_names"] == ["block_1", "block_2", "last"]
    assert statistics["versions"]["kdtasks"]


def test_timings_stand_only_in_the_page_and_the_choice(build: Callable[..., Path]) -> None:
    def slow_down(root: Path) -> None:
        path = root / "metrics/benchmark/int8.json"
        content = read_json(path)
        content["latency_ms"]["mean"] *= 1.07
        write_json(path, content)

    first, second = build(), build(change=slow_down, folder="slower")
    statistics = [(report / "statistics.json").read_bytes() for report in (first, second)]
    assert statistics[0] == statistics[1]
    for name in ("index.html", "selection.json"):
        assert (first / name).read_bytes() != (second / name).read_bytes()
