"""Sweep over params: validate every point, run what is not done, show what came out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kdtasks.cli.output import interruptible, json_output, print_table
from kdtasks.cli.status import Status
from kdtasks.orchestrate.processes import stop_signals
from kdtasks.orchestrate.runner.lines import LineOutput
from kdtasks.orchestrate.sweep.engine import LOGS, SweepEnd, execute, planned_sweep
from kdtasks.orchestrate.sweep.page import command_line, default_folder, write_page
from kdtasks.orchestrate.sweep.plan import SweepOptions, SweepPlan
from kdtasks.orchestrate.sweep.results import PointResult
from kdtasks.orchestrate.sweep.summary import (
    COLUMNS,
    SweepProgress,
    headline,
    introduction,
    summarise,
    table_rows,
)

if TYPE_CHECKING:
    from distributed import Client

STYLES = {"helps": "green", "hurts": "red", "failed": "bold red"}


def run_sweep(
    project: Path,
    options: SweepOptions,
    *,
    out: Path | None = None,
    dry_run: bool = False,
    as_json: bool = False,
) -> int:
    """Run the points of a grid that are not done yet, and write their comparison.

    Args:
        out: the folder for the page and its metrics; None for one below the project's report/.
        as_json: print what stands in `sweep.json`, and all else on standard error.
        dry_run: only say what would run.

    Returns: 0, or 1 if a point failed.

    Raises:
        typer.Exit: with status 130, the sweep was stopped by Ctrl-C, SIGTERM or SIGHUP.
        ParamsError: the params of a point are not valid; nothing has run by then.
        SweepError: the grid or an option makes no sense, or another sweep is running.
        ProjectError: git or DVC cannot do their part.
    """
    after = f"finished points are kept: {command_line(options)}"
    with stop_signals(), interruptible(after), json_output(as_json) as emit:
        with (
            _client(project, None if dry_run else options.cluster) as client,
            planned_sweep(project, options) as plan,
        ):
            if dry_run:
                LineOutput().print("\n".join([*introduction(plan), *preview(plan)]))
                emit(preview(plan))
                return 0
            logs = LOGS if project == Path.cwd() else project / LOGS
            if client:
                from kdtasks.orchestrate.cluster.engine import cluster_sweep

                with cluster_sweep(plan, client, workers=options.workers) as engine:
                    outcomes = engine.run(SweepProgress(engine.plan, logs))
                    end = SweepEnd(outcomes, engine.results)
            else:
                end = execute(plan, SweepProgress(plan, logs))
            summary = summarise(plan, end)
            rows = table_rows(summary)
            right = [heading for heading in COLUMNS if heading not in ("point", "verdict")]
            styles = [STYLES.get(row["verdict"].partition(" ")[0].strip(",;:"), "") for row in rows]
            cells = [list(row.values()) for row in rows]
            print_table(cells, COLUMNS, right=right, styles=styles)
            page = write_page(out or default_folder(plan), plan.grid, options, summary)
        LineOutput().print(f"{headline(summary)}\nsweep: {page}")
        emit(summary.content())
    return 0 if end.is_complete else Status.FAILED


@contextmanager
def _client(project: Path, address: str | None) -> "Iterator[Client | None]":
    """The way to the cluster, if one was named; Dask is imported with it."""
    if not address:
        yield None
        return
    from kdtasks.orchestrate.cluster.client import cluster_client

    with cluster_client(project, address) as client:
        yield client


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
