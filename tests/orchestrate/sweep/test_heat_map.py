"""The heat map: every point in one place, the colour after its gain."""

from typing import Any

from kdtasks.orchestrate.sweep.grid import describe, parse_grid
from kdtasks.orchestrate.sweep.page import heat_map
from kdtasks.orchestrate.sweep.record import FailedPoint, PointSummary, SweepSummary
from tests.tools.sweeps import ended_point, failed_point, point_gain, sweep_summary


def summary(*settings: str, gains: list[float | None]) -> SweepSummary:
    grid = parse_grid(settings)
    points: list[PointSummary | FailedPoint] = []
    for chosen, gain in zip(grid.combinations, gains, strict=True):
        label = describe(grid, chosen)
        if gain is None:
            points.append(failed_point(label, settings=chosen))
        else:
            points.append(ended_point(label, settings=chosen, gain=point_gain(gain)))
    return sweep_summary(*points)


def labels(tables: Any) -> list[list[list[str]]]:
    return [[[cell.point.label for cell in cells] for _, cells in t.rows] for t in tables]


def test_the_shorter_axis_goes_across():
    settings = ("distill.alpha=0,0.5,1", "distill.temperature=3,6")
    (table,) = heat_map(parse_grid(settings), summary(*settings, gains=[0.01] * 6))
    assert (table.row_key, table.column_key, table.title) == ("alpha", "temperature", "")
    assert table.columns == ["3", "6"]
    assert [value for value, _ in table.rows] == ["0", "0.5", "1"]
    assert labels([table]) == [
        [[f"alpha={alpha}, temperature={t}" for t in (3, 6)] for alpha in ("0", "0.5", "1")]
    ]


def test_the_same_the_other_way_round():
    settings = ("distill.temperature=3,6", "distill.alpha=0,0.5,1")
    (table,) = heat_map(parse_grid(settings), summary(*settings, gains=[0.01] * 6))
    assert (table.row_key, table.column_key) == ("alpha", "temperature")
    assert labels([table])[0][2] == ["temperature=3, alpha=1", "temperature=6, alpha=1"]


def test_one_axis_is_one_row():
    settings = ("distill.alpha=0,0.5", "distill.temperature=3")
    (table,) = heat_map(parse_grid(settings), summary(*settings, gains=[0.01] * 2))
    assert (table.row_key, table.column_key) == (None, "alpha")
    assert labels([table]) == [[["alpha=0, temperature=3", "alpha=0.5, temperature=3"]]]


def test_one_point_is_one_cell():
    (table,) = heat_map(parse_grid(["distill.alpha=0"]), summary("distill.alpha=0", gains=[None]))
    assert labels([table]) == [[["alpha=0"]]]
    assert table.rows[0][1][0].colour == "transparent"


def test_further_axes_give_a_table_each():
    settings = ("distill.alpha=0,1", "distill.temperature=3,6", "student.exits=[],[a]")
    tables = heat_map(parse_grid(settings), summary(*settings, gains=[0.01] * 8))
    assert [table.title for table in tables] == ["exits []", 'exits ["a"]']
    cells = [cell for table in labels(tables) for row in table for cell in row]
    assert len(set(cells)) == 8


def test_true_and_one_are_two_settings():
    settings = ("data.stable_split=true,1",)
    (table,) = heat_map(parse_grid(settings), summary(*settings, gains=[0.01, 0.02]))
    assert labels([table]) == [[["stable_split=true", "stable_split=1"]]]


def test_the_colour_follows_the_gain():
    gains: list[float | None] = [0.04, 0.02, 0.0, -0.02, -0.04, None]
    (table,) = heat_map(
        parse_grid(["distill.alpha=0,1,2,3,4,5"]),
        summary("distill.alpha=0,1,2,3,4,5", gains=gains),
    )
    colours = [cell.colour for cell in table.rows[0][1]]
    blue, orange = "rgb(11 102 173 / ", "rgb(180 80 15 / "
    assert colours[:3] == [f"{blue}0.55)", f"{blue}0.31)", f"{blue}0.06)"]
    assert colours[3:] == [f"{orange}0.31)", f"{orange}0.55)", "transparent"]


def test_without_any_gain_nothing_is_divided_by_it():
    (table,) = heat_map(
        parse_grid(["distill.alpha=0,1"]), summary("distill.alpha=0,1", gains=[0.0, 0.0])
    )
    assert {cell.colour for cell in table.rows[0][1]} == {"rgb(11 102 173 / 0.06)"}
