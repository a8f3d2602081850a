"""The headline figures for tables of experiments."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.files import read_json
from kdtasks.report.selection import summarise
from tests.tools.records import model_summary, selection, statistics


def test_summary_repeats_the_files(build: Callable[..., Path]) -> None:
    report = build()
    summary = read_json(report / "summary.json")
    chosen = read_json(report / "selection.json")["chosen"]
    compare = read_json(report.parent / "metrics/compare.json")
    evaluate = read_json(report.parent / f"metrics/evaluate/{chosen}.json")
    assert summary["teacher_accuracy"] == compare["teacher"]["accuracy"]
    assert summary["gain"] == pytest.approx(compare["gain"]["mean"], abs=1e-6)
    assert summary["shipped_accuracy"] == evaluate["accuracy"]
    assert all(isinstance(value, float) for value in summary.values())


def test_missing_figures_are_left_out() -> None:
    known = statistics(teacher=model_summary(accuracy=0.9))
    assert summarise(known, selection(None)).model_dump() == {"teacher_accuracy": 0.9}
