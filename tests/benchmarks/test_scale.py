"""The queue behind docs/scale.md, and the figures that it tells."""

import re
from pathlib import Path

import pytest

from benchmarks.scale import DEVICES, FIGURES, pulls, waits
from kdtasks.core.files import read_json

DOCS = Path(__file__).parents[2] / "docs"


def test_who_comes_last_of_a_crowd_waits_for_all_others():
    found = waits(1, spread=0.0, rate=500)
    assert found["longest_wait"] == pytest.approx((DEVICES - 1) / 500)
    assert found["load"] == pytest.approx(DEVICES / 500 / 60, abs=1e-4)


def test_nobody_waits_for_a_store_that_is_quick():
    assert waits(1, spread=60.0, rate=1e9)["longest_wait"] == 0


def test_a_device_asks_once_where_nothing_is_new():
    found = pulls()
    assert found["nothing new"]["requests"] == 1
    known = read_json(FIGURES)["devices"]
    for what, count in found.items():
        assert (count["requests"], count["bytes"]) == (
            known[what]["requests"],
            known[what]["bytes"],
        )


def test_the_page_tells_the_figures_that_were_measured():
    """Every bold number of docs/scale.md stands in docs/scale.json."""

    def numbers(content: object) -> set[str]:
        if isinstance(content, dict):
            return set().union(*map(numbers, content.values()))
        return {f"{content:,}" if isinstance(content, int | float) else "", str(content)}

    known = numbers(read_json(FIGURES))
    cells = re.findall(r"\*\*([\d.,]+)\*\*", (DOCS / "scale.md").read_text("utf-8"))
    assert len(cells) >= 11
    assert set(cells) <= known
