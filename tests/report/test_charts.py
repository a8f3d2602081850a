"""The charts that a reader works with: what is drawn where, with and without script."""

import re
from typing import Any

import numpy as np
import pytest

from kdtasks.core.records.calibration import ExpectedPoint
from kdtasks.core.records.evaluate import Evaluation
from kdtasks.core.records.report import Selection
from kdtasks.report.charts import limit_chart, tradeoff_chart
from kdtasks.report.inputs import SelectParams
from kdtasks.report.selection import select
from kdtasks.report.vega import Chart
from tests.report.test_selection import CANDIDATES, metrics


def selected(**limits: Any) -> Selection:
    return select(CANDIDATES, SelectParams(max_accuracy_drop=0.02, objective="size", **limits))


def limits_of(chart: Chart | None) -> dict[str, float]:
    """Where lines of limits are drawn, by axis."""
    assert chart
    return {
        axis: encoding["datum"]
        for layer in chart.spec["layer"]
        for axis, encoding in layer["encoding"].items()
        if "datum" in encoding
    }


def test_limits_are_drawn_in_unless_they_are_far_away() -> None:
    # each variant started from 0.96, of which 0.02 may be lost; the largest has 40 kB
    assert limits_of(limit_chart(selected(), "size", "accuracy")) == {"y": 94}
    near = limit_chart(selected(max_size_kb=79.0), "size", "accuracy")
    assert limits_of(near) == {"x": 79, "y": 94}
    far = limit_chart(selected(max_size_kb=80.0), "size", "accuracy")
    assert limits_of(far) == {"y": 94}
    times = limit_chart(selected(max_latency_ms=0.05), "time", "accuracy")
    assert limits_of(times) == {"x": 0.05, "y": 94}


def test_points_are_told_in_words_and_lead_to_their_rows_without_script() -> None:
    chart = limit_chart(selected(), "size", "accuracy")
    assert chart
    assert re.findall(r'<a href="(#variant-\d)"><path aria-label="([^"]+)"', chart.svg) == [
        ("#variant-0", "float32: 96.0\u00a0%, 40.0\u00a0kB"),
        ("#variant-1", "int8: 94.0\u00a0%, 12.0\u00a0kB"),
        ("#variant-2", "filters+int8: 91.0\u00a0%, 7.0\u00a0kB, breaks a limit"),
    ]
    assert chart.svg.startswith('<svg role="graphics-document" aria-label="Validation accuracy of')
    assert not re.search(r"http|xmlns|<style|\bid=", chart.svg)
    # the page's colours alone, so that it is light and dark
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', chart.svg))
    assert {colour for colour in colours if not colour.startswith("var(--")} <= {"none"}


@pytest.mark.parametrize("count", [1, 8, 24])
def test_many_names_stay_in_the_chart_and_apart(count: int) -> None:
    close = {
        f"variant_{number}": metrics(None, 0.95 + 0.0001 * number, 0.0, 40_000 + number, 0.06)
        for number in range(count)
    }
    far = {"filters+int8": metrics(None, 0.8, 0.15, 7_000, 0.02)}
    found = select(close | far, SelectParams(max_accuracy_drop=0.02, objective="size"))
    chart = limit_chart(found, "size", "accuracy")
    assert chart
    bottom, top = chart.spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    rows = chart.spec["data"]["values"]
    assert all(bottom < row["place"] < top for row in rows)
    places = [row["place"] for row in rows if row["align"] == "right"]
    assert len(places) == count
    gap = min(0.07, 0.94 / max(1, count - 1)) * (top - bottom)
    assert all(np.diff(places) > 0.99 * gap)  # names stand in the order of their scores


def test_what_was_not_measured_is_not_drawn() -> None:
    assert limit_chart(selected(), "compute", "accuracy") is None


TEST = Evaluation(rows=100, accuracy=0.9, interval=(0.83, 0.94), cost=0.5)
CURVE = ((0.2, 0.8), (0.5, 0.9), (1.0, 0.95))


@pytest.mark.parametrize(("chosen", "index"), [(0.45, 1), (0.9, 2), (None, 2)])
def test_the_slider_starts_at_the_point_nearest_to_the_chosen_one(
    chosen: float | None, index: int
) -> None:
    point = None if chosen is None else ExpectedPoint(accuracy=0.9, cost=chosen, exit_rate=(1.0,))
    chart = tradeoff_chart(CURVE, point, TEST)
    assert chart.spec["params"] == [
        {"name": "point", "value": index, "bind": {"element": "#point"}}
    ]
    assert ("chosen, on calibration" in chart.svg) == (point is not None)


def test_one_point_needs_no_slider() -> None:
    chart = tradeoff_chart(CURVE[:1], None, TEST)
    assert chart.spec["params"] == [{"name": "point", "value": 0}]
