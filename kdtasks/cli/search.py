"""Look for the cheapest variant within limits: try, show every trial, say what came out."""

from collections.abc import Mapping
from pathlib import Path

from kdtasks.cli.output import interruptible, json_output, print_table
from kdtasks.cli.status import Status
from kdtasks.cli.students import run_students
from kdtasks.orchestrate.processes import stop_signals
from kdtasks.orchestrate.runner.lines import LineOutput
from kdtasks.orchestrate.search.budget import Budget
from kdtasks.orchestrate.search.engine import SearchEngine, SearchPlan, plan_search, searched_params
from kdtasks.orchestrate.search.record import VariantSearchSummary
from kdtasks.orchestrate.search.summary import (
    FOLDER,
    SearchProgress,
    headings,
    introduction,
    rows,
    summarise,
    write_page,
)
from kdtasks.orchestrate.sweep.engine import LOGS, one_sweep_at_a_time


def run_search(
    project: Path,
    given: Mapping[str, float | str | None],
    *,
    out: Path | None = None,
    dry_run: bool = False,
    as_json: bool = False,
) -> int:
    """Try variants from the cheapest up until one is within all limits or time is up; or students.

    Args:
        given: limits, and `minutes`, that go before those of `search`.
        out: the folder for the page and its metrics; None for one below the project's report/.
        as_json: print what stands in `search.json`, and all else on standard error.
        dry_run: only say what would be tried.

    Returns: 0, or 1 if no variant is within the limits.

    Raises:
        typer.Exit: with status 130, the search was stopped by Ctrl-C, SIGTERM or SIGHUP.
        ParamsError: a limit is not valid; nothing has run by then.
        SweepError: there is no limit to reach, or another sweep is running.
        ProjectError: git or DVC cannot do their part.
    """
    params = searched_params(project, given)
    if params.search.space == "student":
        return run_students(project, params, out=out, dry_run=dry_run, as_json=as_json)
    after = "finished trials are kept: the same command resumes"
    with (
        stop_signals(),
        interruptible(after),
        json_output(as_json) as emit,
        one_sweep_at_a_time(project),
    ):
        plan = plan_search(project, given)
        if dry_run:
            LineOutput().print("\n".join([introduction(plan), *preview(plan)]))
            emit(preview(plan))
            return 0
        engine = SearchEngine(plan, Budget(plan.limits.minutes))
        logs = LOGS if project == Path.cwd() else project / LOGS
        outcomes = engine.run(SearchProgress(plan, engine, logs))
        summary = summarise(plan, engine, outcomes)
        _print(summary)
        LineOutput().print(f"search: {write_page(out or project / FOLDER, summary)}")
        emit(summary.content())
    return 0 if engine.winner else Status.FAILED


def preview(plan: SearchPlan) -> list[str]:
    """What would be tried, in this order, as long as nothing is within the limits."""
    done = plan.sweep.done
    return [
        f"{point.label}: {'done' if point.experiment in done else 'would be tried'}, experiment "
        f"{point.experiment}"
        for point in plan.sweep.points
    ]


def _print(summary: VariantSearchSummary) -> None:
    columns = headings(summary.metric)
    print_table(
        [list(row.values()) for row in rows(summary)],
        columns,
        right=[heading for heading in columns if heading not in ("trial", "limits")],
        styles=["green" if trial.label == summary.winner else "" for trial in summary.trials],
    )
    lines = [summary.sentence]
    if summary.adopt:
        label = summary.winner or summary.nearest
        lines.append(f"to use {label}: {', '.join(summary.adopt)}; then dvc repro")
    LineOutput().print("\n".join(lines))
