"""Sweep over params: validate every point, run what is not done, show what came out."""

from pathlib import Path
from typing import Any

from kdtasks.orchestrate.processes import stop_signals
from kdtasks.orchestrate.runner.lines import LastingOutput
from kdtasks.orchestrate.sweep.engine import LOGS, SweepEnd, execute, planned_sweep
from kdtasks.orchestrate.sweep.page import command_line, default_folder, write_page
from kdtasks.orchestrate.sweep.plan import SweepOptions, SweepPlan
from kdtasks.orchestrate.sweep.results import PointResult
from kdtasks.orchestrate.sweep.summary import (
    SweepProgress,
    headline,
    introduction,
    summarise,
    table_rows,
)

FAILED, INTERRUPTED = 1, 130
WIDTH = 160  # of the table where the output is no terminal


def run_sweep(
    project: Path, options: SweepOptions, *, out: Path | None = None, dry_run: bool = False
) -> int:
    """Run the points of a grid that are not done yet, and write their comparison.

    Args:
        out: the folder for the page and its figures; None for one below the project's report/.
        dry_run: only say what would run.

    Returns: 0, 1 if a point failed, 130 if the sweep was stopped by Ctrl-C, SIGTERM or SIGHUP.

    Raises:
        ParamsError: the params of a point are not valid; nothing has run by then.
        SweepError: the grid or an option makes no sense, or another sweep is at work.
        ProjectError: git or DVC cannot do their part.
    """
    with stop_signals():
        try:
            with planned_sweep(project, options) as plan:
                if dry_run:
                    _print(*introduction(plan), *preview(plan))
                    return 0
                logs = LOGS if project == Path.cwd() else project / LOGS
                end = execute(plan, SweepProgress(plan, logs))
                page = present(plan, options, end, out)
        except KeyboardInterrupt:
            _print(f"stopped; points that are done stay: {command_line(options)}")
            return INTERRUPTED
        _print(f"sweep: {page}")
    return 0 if end.is_complete else FAILED


def present(
    plan: SweepPlan[PointResult], options: SweepOptions, end: SweepEnd, out: Path | None
) -> Path:
    """Print the table of a sweep and write its page; returns the page."""
    summary = summarise(plan, end)
    _print_table(summary)
    _print(headline(summary))
    return write_page(out or default_folder(plan), plan.grid, options, summary)


def preview(plan: SweepPlan[PointResult]) -> list[str]:
    """What would run: a line for every point and for what several points share."""
    lines = []
    for name, job in plan.jobs.items():
        if not job.is_point:
            lines.append(f"{name}: would run once, {', '.join(job.stages)}")
        elif job.point.experiment in plan.done:
            lines.append(f"{name}: done, experiment {job.point.experiment}")
        else:
            lines.append(f"{name}: would run")
    return lines


def _print_table(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    rows = table_rows(summary)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in rows[0]:
        table.add_column(column, justify="left" if column in ("point", "verdict") else "right")
    styles = {"helps": "green", "hurts": "red", "failed": "bold red"}
    for row in rows:
        style = next((styles[word] for word in styles if row["verdict"].startswith(word)), "")
        table.add_row(*(Text(cell) for cell in row.values()), style=style)
    console.print(table)


def _print(*lines: str) -> None:
    output = LastingOutput()
    for line in lines:
        output.print(line)
