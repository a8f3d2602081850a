"""Look for the cheapest variant within limits: try, show every trial, say what came out."""

from pathlib import Path
from typing import Any

from kdtasks.orchestrate.processes import stop_signals
from kdtasks.orchestrate.runner.lines import LastingOutput
from kdtasks.orchestrate.search.engine import SearchEngine, SearchPlan, plan_search
from kdtasks.orchestrate.search.summary import (
    COLUMNS,
    FOLDER,
    SearchProgress,
    introduction,
    row,
    summarise,
    write_page,
)
from kdtasks.orchestrate.search.trial import Budget
from kdtasks.orchestrate.sweep.engine import LOGS, one_sweep_at_a_time

NOT_REACHED, INTERRUPTED = 1, 130
WIDTH = 200  # of the table where the output is no terminal


def run_search(
    project: Path, given: dict[str, float], *, out: Path | None = None, dry_run: bool = False
) -> int:
    """Try variants from the cheapest up until one is within all limits or the time is spent.

    Args:
        given: limits, and `minutes`, that go before those of `search`.
        out: the folder for the page and its figures; None for one below the project's report/.
        dry_run: only say what would be tried.

    Returns: 0, 1 if no variant is within the limits, 130 if the search was stopped.

    Raises:
        ParamsError: a limit is not valid; nothing has run by then.
        SweepError: there is no limit to reach, or another sweep is at work.
        ProjectError: git or DVC cannot do their part.
    """
    with stop_signals():
        try:
            with one_sweep_at_a_time(project):
                plan = plan_search(project, given)
                if dry_run:
                    _print(introduction(plan), *preview(plan))
                    return 0
                engine = SearchEngine(plan, Budget(plan.limits.minutes))
                logs = LOGS if project == Path.cwd() else project / LOGS
                outcomes = engine.run(SearchProgress(plan, engine, logs))
                summary = summarise(plan, engine, outcomes)
                _print_table(summary)
                _print(summary["sentence"], *_adoption(summary))
                _print(f"search: {write_page(out or project / FOLDER, summary)}")
        except KeyboardInterrupt:
            _print("stopped; trials that are done stay: the same command goes on")
            return INTERRUPTED
    return 0 if engine.winner else NOT_REACHED


def preview(plan: SearchPlan) -> list[str]:
    """What would be tried, in this order, as long as nothing is within the limits."""
    done = plan.sweep.done
    return [
        f"{point.label}: {'done' if point.experiment in done else 'would be tried'}, experiment "
        f"{point.experiment}"
        for point in plan.sweep.points
    ]


def _adoption(summary: dict[str, Any]) -> list[str]:
    if not summary["adopt"]:
        return []
    label = summary["winner"] or summary["nearest"]
    return [f"to use {label}: {', '.join(summary['adopt'])}; then dvc repro"]


def _print_table(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("trial", "limits") else "right")
    for trial in summary["trials"]:
        style = "green" if trial["label"] == summary["winner"] else ""
        table.add_row(*(Text(cell) for cell in row(trial).values()), style=style)
    console.print(table)


def _print(*lines: str) -> None:
    output = LastingOutput()
    for line in lines:
        output.print(line)
