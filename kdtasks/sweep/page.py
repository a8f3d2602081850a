"""Write a sweep's folder: the page and the figures behind it."""

import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

from kdtasks.atomic import write_json, write_text
from kdtasks.report.templates import template_environment
from kdtasks.report.wording import more_seeds, percent, percent_range, seeds
from kdtasks.sweep.figures import gains_figure
from kdtasks.sweep.grid import Grid
from kdtasks.sweep.heat_map import heat_map
from kdtasks.sweep.plan import COMPARE_STAGE, SweepOptions, SweepPlan
from kdtasks.sweep.results import PointResult
from kdtasks.sweep.wording import headline, in_points, p_text

HERE = Path(__file__).parent
STYLE = HERE.parent / "report" / "style.css"


def default_folder(plan: SweepPlan[PointResult]) -> Path:
    """A folder for this grid, seeds and params; the same sweep writes there again."""
    names = json.dumps([point.experiment for point in plan.points])
    return plan.project / "report" / f"sweep-{hashlib.sha256(names.encode()).hexdigest()[:6]}"


def write_page(folder: Path, grid: Grid, options: SweepOptions, summary: dict[str, Any]) -> Path:
    """Write index.html and sweep.json; the same figures give the same bytes.

    Returns: the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "sweep.json", summary)
    page = folder / "index.html"
    write_text(page, render_page(grid, options, summary))
    return page


def render_page(grid: Grid, options: SweepOptions, summary: dict[str, Any]) -> str:
    """Render the page: one HTML file with its styles and picture inside."""
    environment = template_environment(HERE)
    for write in (percent, percent_range, more_seeds, p_text):
        environment.filters[write.__name__] = write
    environment.globals["in_points"] = in_points
    has_figure = any("gain" in point for point in summary["points"])
    return environment.get_template("template.html").render(
        **summary,
        headline=headline(summary),
        number_of_seeds=seeds(len(summary["seeds"])),
        keys=[axis["key"] for axis in summary["axes"]],
        tables=heat_map(grid, summary),
        picture=gains_figure(summary) if has_figure else None,
        command=command_line(options),
        style=STYLE.read_text(encoding="utf-8"),
    )


def command_line(options: SweepOptions) -> str:
    """The command that makes or continues a sweep."""
    words = ["kdtasks", "sweep"]
    for setting in options.settings:
        words += ["-S", setting]
    words += ["--seeds", str(options.seeds)] if options.seeds is not None else []
    for stage in options.stages:
        words += ["--stage", stage] if stage != COMPARE_STAGE else []
    return shlex.join(words)
