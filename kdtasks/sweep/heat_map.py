"""The heat map of a sweep: two keys span a table, further ones give a table each."""

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

from kdtasks.sweep.grid import Grid, value_text

# as in the report: blue for distilled, orange for the student alone
BETTER, WORSE = "11 102 173", "180 80 15"
FAINTEST, STRONGEST = 0.06, 0.55  # opacity of no gain and of the largest


class Cell(NamedTuple):
    """One point."""

    point: dict[str, Any]  # as in sweep.json
    colour: str  # CSS


class Table(NamedTuple):
    """The points that agree on all keys but two."""

    title: str  # the settings on which they agree; empty where there is one table only
    row_key: str | None
    column_key: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]  # the value, then a cell for every column


def heat_map(grid: Grid, summary: Mapping[str, Any]) -> list[Table]:
    """Lay the points out; the key with fewer values goes across, so that the table fits."""
    varied = [axis for axis in grid.axes if len(axis.values) > 1] or [grid.axes[0]]
    largest = max(
        (abs(point["gain"]["mean"]) for point in summary["points"] if "gain" in point), default=0.0
    )
    plane = sorted(varied[:2], key=lambda axis: len(axis.values))
    across, down = plane[0], plane[1] if len(plane) > 1 else None
    others = varied[2:]
    tables = []
    for chosen in product(*(axis.values for axis in others)):
        fixed = dict(zip((axis.key for axis in others), chosen, strict=True))
        rows = []
        for value in down.values if down else (None,):
            here = {**fixed, **({down.key: value} if down else {})}
            cells = [
                Cell(point, _colour(point, largest))
                for setting in across.values
                for point in [_find(summary, {**here, across.key: setting})]
            ]
            rows.append((value_text(value) if down else "", cells))
        title = ", ".join(f"{grid.short(key)} {value_text(v)}" for key, v in fixed.items())
        tables.append(
            Table(
                title,
                grid.short(down.key) if down else None,
                grid.short(across.key),
                [value_text(value) for value in across.values],
                rows,
            )
        )
    return tables


def _find(summary: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    return next(
        point
        for point in summary["points"]
        if all(
            point["settings"][key] == value and type(point["settings"][key]) is type(value)
            for key, value in settings.items()
        )
    )


def _colour(point: Mapping[str, Any], largest: float) -> str:
    if "gain" not in point:
        return "transparent"
    gain = point["gain"]["mean"]
    share = abs(gain) / largest if largest else 0.0
    opacity = FAINTEST + (STRONGEST - FAINTEST) * share
    return f"rgb({BETTER if gain >= 0 else WORSE} / {opacity:.2f})"
