"""Run the pipeline: validate the params, run what has changed, say where the report is."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType

from kdtasks.cli.status import Status
from kdtasks.core import JsonObject
from kdtasks.core.errors import ProjectError
from kdtasks.core.events import MessageEvent, StageEvent, tail
from kdtasks.core.installed import refuse_other_code
from kdtasks.orchestrate.prefect_server import prefect_server
from kdtasks.orchestrate.processes import stop_signals, usable_cores
from kdtasks.orchestrate.runner.describe import summary
from kdtasks.orchestrate.runner.execute import (
    LOGS,
    RunOptions,
    StageCluster,
    execute,
    nothing_to_do,
    preview,
)
from kdtasks.orchestrate.runner.files import EVENTS, run_events
from kdtasks.orchestrate.runner.graph import RunObserver
from kdtasks.orchestrate.runner.lines import LineOutput, LinesReporter
from kdtasks.orchestrate.runner.unchanged import UnchangedRun

MOST_REASONS = 3  # of each stage in `--dry-run`; with `--json` all


def run_pipeline(
    project: Path,
    options: RunOptions,
    *,
    dry_run: bool = False,
    prefect: bool | None = None,
    cluster: str | None = None,
) -> int:
    """Validate params.yaml, run the stages that changed and say where the report is.

    Args:
        dry_run: only say what would run.
        prefect: whether Prefect is told of the run; None if a server of it is configured.
        cluster: address of other machines that run stages; Prefect is told of none of that.

    Returns: 0, 1 if a stage failed, 130 if the run was stopped by Ctrl-C, SIGTERM or SIGHUP.

    Raises:
        ParamsError: params.yaml is missing, incomplete or holds something that is not allowed.
        ProjectError: an option or a stage's name makes no sense, or another run is running.
    """
    with stop_signals() as is_stopping:
        try:
            refuse_other_code(project)
            output = LineOutput()
            if cluster and prefect:
                raise ProjectError("--cluster and --prefect do not go together")
            unchanged = None if dry_run or prefect else nothing_to_do(project, options)
            if not unchanged:  # else they are those that were valid
                from kdtasks.params import load_project_params

                load_project_params(project)
            if dry_run:
                for name, reasons in preview(project, options).items():
                    why = "; ".join(reasons[:MOST_REASONS])
                    more = f"; and {len(reasons) - MOST_REASONS} more" * (
                        len(reasons) > MOST_REASONS
                    )
                    output.print(
                        f"{name}: would run: {why}{more}" if reasons else f"{name}: cached"
                    )
                return 0
            if cluster and not unchanged:
                status = _run_on_cluster(project, options, is_stopping, cluster)
            else:
                use_prefect = False if cluster else prefect
                status = _run_locally(project, options, is_stopping, unchanged, prefect=use_prefect)
            for line in summary(project) if status == 0 else []:
                output.print(line)
            return status
        except KeyboardInterrupt:
            with suppress(OSError):  # the terminal may be gone
                print("interrupted; the same command resumes here", file=sys.stderr)
            return Status.INTERRUPTED


def run_result(project: Path) -> JsonObject:
    """What the last run came to: its stages, why one failed, the report's headline and page."""
    events, _ = tail(run_events(project))
    return {
        "stages": {
            event.name: {"state": event.state, "seconds": event.seconds}
            for event in events
            if isinstance(event, StageEvent) and event.seconds is not None
        },
        "failures": [
            event.message
            for event in events
            if isinstance(event, MessageEvent) and event.kind == "failed"
        ],
        "report": summary(project),
    }


def import_flow(project: Path, name: str) -> ModuleType:
    """Import a module of a project's `flows/`, which is no part of the installed package."""
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    return import_module(f"flows.{name}")


def _run_locally(
    project: Path,
    options: RunOptions,
    is_stopping: Callable[[], bool],
    unchanged: UnchangedRun | None,
    *,
    prefect: bool | None,
) -> int:
    if prefect is False:
        return _run(project, options, is_stopping, unchanged)
    has_flow = (project / "flows" / "pipeline.py").is_file()
    no_flow = ProjectError(
        f"{project} has no flows/pipeline.py, by which Prefect runs the stages; "
        "add it, or run with --no-prefect"
    )
    if prefect and not has_flow:
        raise no_flow  # before a server is started for nothing
    with prefect_server(project, needed=bool(prefect)) as url:
        if url is None:
            return _run(project, options, is_stopping, unchanged)
        if not has_flow:
            raise no_flow
        return int(import_flow(project, "pipeline").run_with_prefect(project, options))


def _run_on_cluster(
    project: Path, options: RunOptions, is_stopping: Callable[[], bool], address: str
) -> int:
    from kdtasks.orchestrate.cluster.client import cluster_client
    from kdtasks.orchestrate.cluster.stages import cluster_of

    with cluster_client(project, address) as client, cluster_of(client) as cluster:
        if cluster.note:
            LineOutput().print(f"note: {cluster.note}")
        return _run(project, options, is_stopping, None, cluster)


def _run(
    project: Path,
    options: RunOptions,
    is_stopping: Callable[[], bool],
    unchanged: UnchangedRun | None,
    cluster: StageCluster | None = None,
) -> int:
    workers, cores = options.workers, cluster.cores if cluster else usable_cores()
    here = Path() if project == Path.cwd() else project
    logs, events = here / LOGS, here / EVENTS
    with ExitStack() as stack:
        # not rich's own guess: FORCE_COLOR makes it draw on pipes
        if sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
            from kdtasks.orchestrate.runner.table import TerminalReporter

            table = TerminalReporter(
                workers=workers, cores=cores, logs=logs, events=events, is_stopping=is_stopping
            )
            reporter: RunObserver = stack.enter_context(table)
        else:
            reporter = LinesReporter(workers=workers, cores=cores, logs=logs)
        outcomes = execute(project, options, reporter, unchanged=unchanged, cluster=cluster)
    return 0 if all(outcome.is_up_to_date for outcome in outcomes.values()) else Status.FAILED
