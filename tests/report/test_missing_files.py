"""The page without some of its files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.files import write_json
from tests.tools.report_pages import outline, text_of


@pytest.mark.parametrize(
    "name",
    [
        "data/prepared/dataset.json",
        "metrics/compare.json",
        "metrics/teacher.json",
        "metrics/distill/1.json",
        "plots/teacher.csv",
        "plots/student/0.csv",
        "metrics/compress/int8.json",
        "metrics/export/int8.json",
        "metrics/evaluate/int8.json",
        "metrics/benchmark/int8.json",
        "exits/int8/calibration.json",
        "exits/int8/tradeoff.csv",
        "plots/reliability/int8.csv",
        "plots/examples/int8.npz",
    ],
)
def test_any_file_may_be_missing(build: Callable[..., Path], name: str) -> None:
    page = (build(change=lambda root: (root / name).unlink()) / "index.html").read_text("utf-8")
    assert outline(page).open == []
    if name.endswith(".json") and "distill" not in name and "teacher" not in name:
        assert f"{name} not found" in page


def test_nothing_at_all_is_there(build: Callable[..., Path]) -> None:
    def remove_all(root: Path) -> None:
        for file in sorted(root.rglob("*.*")):
            if file.is_file():
                file.unlink()

    words = text_of(build(change=remove_all))
    assert "Teacher and students were not compared" in words
    assert "No variant can be shipped." in words


def test_models_that_were_not_compared_say_why(build: Callable[..., Path]) -> None:
    def refuse(root: Path) -> None:
        write_json(root / "metrics/compare.json", {"refused": "there is no test split"})

    report = build(change=refuse)
    assert "Not compared: there is no test split" in text_of(report)
    assert outline((report / "index.html").read_text(encoding="utf-8")).open == []
