"""Sweep over params: validate every point, run what is not done, show what came out."""

from pathlib import Path
from typing import Any

from kdtasks.report.wording import percent, verdict
from kdtasks.runner.interrupts import stop_signals
from kdtasks.runner.output import LastingOutput
from kdtasks.sweep.execute import LOGS, SweepEnd, execute, planned_sweep
from kdtasks.sweep.page import command_line, default_folder, write_page
from kdtasks.sweep.plan import SweepOptions, SweepPlan
from kdtasks.sweep.progress import SweepProgress, introduction
from kdtasks.sweep.results import PointResult
from kdtasks.sweep.summary import summarise
from kdtasks.sweep.wording import headline, in_points, p_text

FAILED, INTERRUPTED = 1, 130
WIDTH = 160  # of the table where the output is no terminal


def run_sweep(
    project: Path, options: SweepOptions, *, out: Path | None = None, dry_run: bool = False
) -> int:
    """Run the points of a grid that are not done yet, and write their comparison.

    Arguments:
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


def table_rows(summary: dict[str, Any]) -> list[dict[str, str]]:
    """The points of a sweep as rows of texts, by column."""
    return [_row(point) for point in summary["points"]]


def _row(point: dict[str, Any]) -> dict[str, str]:
    gain = point.get("gain", {})
    means = {key: point.get(key, {}).get("mean") for key in ("validation", "student", "distill")}
    interval = gain.get("interval") or ()
    return {
        "point": point["label"],
        "validation": percent(means["validation"]),
        "student alone": percent(means["student"]),
        "distilled": percent(means["distill"]),
        "gain, points": in_points(*([gain["mean"]] if gain else [])),
        "interval": in_points(*interval),
        "p, Holm": p_text(gain.get("adjusted_p_value")),
        "verdict": verdict(gain) if gain else f"failed: {point['failed']}",
    }


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
