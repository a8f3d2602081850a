"""The grid: what is read as an axis, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.sweep.grid import Axis, parse_grid, value_text


def test_the_last_axis_varies_fastest():
    grid = parse_grid(["distill.alpha=0,0.5", "distill.temperature=3,6,10"])
    assert len(grid.combinations) == 6
    assert grid.combinations[:4] == [
        {"distill.alpha": 0, "distill.temperature": 3},
        {"distill.alpha": 0, "distill.temperature": 6},
        {"distill.alpha": 0, "distill.temperature": 10},
        {"distill.alpha": 0.5, "distill.temperature": 3},
    ]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("distill.alpha=0, 1e-3 ,1", (0, 0.001, 1)),
        (
            "student.exits=[],[block_1],[block_1, block_2]",
            ([], ["block_1"], ["block_1", "block_2"]),
        ),
        ("distill.alpha={start: 0.9, end: 0.1},0.5", ({"start": 0.9, "end": 0.1}, 0.5)),
        ("select.max_size_kb=null,40", (None, 40)),
        ("data.on_bad=fail,skip", ("fail", "skip")),
        ("data.stable_split=true,1", (True, 1)),
    ],
)
def test_values_are_yaml(text: str, values: tuple[Any, ...]):
    assert parse_grid([text]).axes == (Axis(text.partition("=")[0], values),)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], "needs a key to vary: got no -S"),
        (["distill.alpha"], "-S distill.alpha: expected KEY=VALUE,VALUE"),
        (["distill.alpha="], "expected KEY=VALUE"),
        (["=1"], "expected KEY=VALUE"),
        (["distill..alpha=1"], "expected KEY=VALUE"),
        (["distill.alpha=0,,1"], "is not a list of YAML values"),
        (["student.exits=[block_1"], "is not a list of YAML values"),
        (["distill.alpha=2001-99-99"], "is not a list of YAML values"),
        (["distill.alpha=!!bool maybe"], "is not a list of YAML values"),
        (["distill.alpha=1,0.5,1.0"], "1.0 is given twice"),
        (["distill.alpha=1", "distill.alpha=0"], "-S distill.alpha is given twice"),
        (["seeds=1,2"], "--seeds 5 gives every point the seeds 0 to 4"),
    ],
)
def test_what_is_no_grid_is_refused(settings: list[str], message: str):
    with pytest.raises(SweepError, match=message):
        parse_grid(settings)


def test_keys_are_short_where_they_can_be():
    grid = parse_grid(["student.learning_rate=1", "teacher.learning_rate=1", "distill.alpha=1"])
    assert [grid.short(axis.key) for axis in grid.axes] == [
        "student.learning_rate",
        "teacher.learning_rate",
        "alpha",
    ]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, unique=True))
def test_numbers_come_back_as_they_were_written(values: list[float]):
    text = ",".join(map(value_text, values))
    assert list(parse_grid([f"distill.alpha={text}"]).axes[0].values) == values
