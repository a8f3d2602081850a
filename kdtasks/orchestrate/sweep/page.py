"""Write a sweep's folder: the page and the numbers behind it."""

import json
import shlex
from itertools import count as count_from
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kdtasks.core.files import write_text
from kdtasks.core.text import count, percent, percent_range, seeds
from kdtasks.orchestrate.sweep.grid import Grid, Settings, short_digest, value_text
from kdtasks.orchestrate.sweep.label_curve import alone_text, worth_range, worth_sentence
from kdtasks.orchestrate.sweep.label_figure import label_figure
from kdtasks.orchestrate.sweep.plan import COMPARE_STAGE, SweepOptions, SweepPlan
from kdtasks.orchestrate.sweep.record import FailedPoint, PointSummary, SweepSummary
from kdtasks.orchestrate.sweep.results import PointResult
from kdtasks.orchestrate.sweep.summary import headline, in_points, p_text
from kdtasks.report.drawing import CSS, Colour, draw, standalone, template_environment
from kdtasks.report.sentences import more_seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes


HERE = Path(__file__).parent
ROW_HEIGHT, FRAME_HEIGHT = 0.27, 0.75  # inches
COLOURS = {"helps": Colour.DISTILL, "hurts": Colour.STUDENT, "inconclusive": Colour.MUTED}

# as in the report: blue for distilled, orange for the student alone
BETTER, WORSE = "11 102 173", "180 80 15"
FAINTEST, STRONGEST = 0.06, 0.55  # opacity of no gain and of the largest


def default_folder(plan: SweepPlan[PointResult]) -> Path:
    """A folder for this grid, seeds and params; the same sweep writes there again."""
    names = [point.experiment for point in plan.points]
    return plan.project / "report" / f"sweep-{short_digest(names)}"


def write_page(folder: Path, grid: Grid, options: SweepOptions, summary: SweepSummary) -> Path:
    """Write index.html, sweep.json and label curves; the same numbers give the same bytes.

    Returns: the page.
    """
    summary.write(folder / "sweep.json")
    for name, image in label_figures(summary).items():
        write_text(folder / f"{name}.svg", standalone(image))
    page = folder / "index.html"
    write_text(page, render_page(grid, options, summary))
    return page


def render_page(grid: Grid, options: SweepOptions, summary: SweepSummary) -> str:
    """Render the page: one HTML file with its styles and image inside."""
    environment = template_environment(HERE)
    for write in (percent, percent_range, more_seeds, p_text):
        environment.filters[write.__name__] = write
    environment.globals["in_points"] = in_points
    environment.globals.update(alone_text=alone_text, worth_range=worth_range)
    environment.filters.update(count=count, worth_sentence=worth_sentence)
    return environment.get_template("template.html").render(
        **dict(summary),
        headline=headline(summary),
        number_of_seeds=seeds(len(summary.seeds)),
        keys=[axis.key for axis in summary.axes],
        tables=heat_map(grid, summary),
        image=gains_figure(summary) if summary.ended else None,
        curves=list(zip(summary.label_curves, label_figures(summary).values(), strict=True)),
        command=command_line(options),
        style=CSS.read_text(encoding="utf-8"),
    )


def label_figures(summary: SweepSummary) -> dict[str, str]:
    """Draw what there is of label curves: name of the file to `<svg>` element."""
    names = (f"labels-{number}" if number > 1 else "labels" for number in count_from(1))
    return {
        name: label_figure(curve, summary, name)
        for curve, name in zip(summary.label_curves, names, strict=False)
    }


def command_line(options: SweepOptions) -> str:
    """The command that makes or continues a sweep."""
    words = ["kdtasks", "sweep"]
    for setting in options.settings:
        words += ["-S", setting]
    words += ["--seeds", str(options.seeds)] if options.seeds is not None else []
    for stage in options.stages:
        words += ["--stage", stage] if stage != COMPARE_STAGE else []
    words += ["--cluster", options.cluster] if options.cluster else []
    return shlex.join(words)


def gains_figure(summary: SweepSummary) -> str:
    """Draw the mean gain of every point, its interval and its seeds, against zero."""
    shown = list(summary.ended.values())
    chosen = summary.chosen.label if summary.chosen else None

    def plot(axes: "Axes") -> None:
        heights = list(range(len(shown), 0, -1))
        axes.axvline(0, color=Colour.INK, linewidth=1)
        for number, point in zip(heights, shown, strict=True):
            gain = point.gain
            colour = COLOURS[gain.verdict]
            by_seed = [value * 100 for value in gain.by_seed.values()]
            axes.scatter(by_seed, [number] * len(by_seed), s=7, color=colour, alpha=0.45, zorder=2)
            if gain.interval:
                ends = [end * 100 for end in gain.interval]
                axes.plot(ends, [number, number], color=colour, zorder=2)
            axes.scatter(
                gain.mean * 100, number, s=30, color=colour, zorder=3,
                marker="D" if point.label == chosen else "o",
            )  # fmt: skip
        axes.set_yticks(heights, [point.label for point in shown])
        for point, label in zip(shown, axes.get_yticklabels(), strict=True):
            label.set_color(Colour.CHOSEN if point.label == chosen else Colour.INK)
        axes.set_ylim(0.4, len(shown) + 0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.08)
        axes.set_xlabel("distilled minus student alone, points")

    height = FRAME_HEIGHT + ROW_HEIGHT * max(1, len(shown))
    return draw("gains", "Mean gain of every point with its interval", plot, height=height)


class Cell(NamedTuple):
    """One point."""

    point: PointSummary | FailedPoint
    colour: str  # CSS


class HeatMap(NamedTuple):
    """The points that agree on all keys but two."""

    title: str  # the settings on which they agree; empty where there is one table only
    row_key: str | None
    column_key: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]  # the value, then a cell for every column


def heat_map(grid: Grid, summary: SweepSummary) -> list[HeatMap]:
    """Lay the points out; the key with fewer values goes across, so that the table fits."""
    varied = [axis for axis in grid.axes if len(axis.values) > 1] or [grid.axes[0]]
    across, *down = sorted(varied[:2], key=lambda axis: len(axis.values))
    largest = max((abs(point.gain.mean) for point in summary.ended.values()), default=0.0)
    points = {_identity(point.settings): point for point in summary.points}
    first = {axis.key: axis.values[0] for axis in grid.axes}

    def cell(settings: Settings) -> Cell:
        point = points[_identity({**first, **settings})]
        return Cell(point, _colour(point, largest))

    return [
        HeatMap(
            ", ".join(f"{grid.short(key)} {value_text(value)}" for key, value in fixed.items()),
            grid.short(down[0].key) if down else None,
            grid.short(across.key),
            [value_text(value) for value in across.values],
            [
                (
                    "".join(map(value_text, row.values())),
                    [cell({**fixed, **row, across.key: value}) for value in across.values],
                )
                for row in Grid(tuple(down)).combinations
            ],
        )
        for fixed in Grid(tuple(varied[2:])).combinations
    ]


def _identity(settings: Settings) -> str:
    """Settings as text that differs where they do: true is not 1."""
    return json.dumps(settings, sort_keys=True, default=str)


def _colour(point: PointSummary | FailedPoint, largest: float) -> str:
    if isinstance(point, FailedPoint):
        return "transparent"
    gain = point.gain.mean
    fraction = abs(gain) / largest if largest else 0.0
    opacity = FAINTEST + (STRONGEST - FAINTEST) * fraction
    return f"rgb({BETTER if gain >= 0 else WORSE} / {opacity:.2f})"
