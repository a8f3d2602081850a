"""Run the pipeline: validate the params, run what has changed, say where the report is."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.prefect_server import prefect_server
from kdtasks.orchestrate.processes import stop_signals, usable_cores
from kdtasks.orchestrate.runner.describe import summary
from kdtasks.orchestrate.runner.execute import LOGS, RunOptions, execute, preview
from kdtasks.orchestrate.runner.files import EVENTS
from kdtasks.orchestrate.runner.graph import RunObserver
from kdtasks.orchestrate.runner.lines import LastingOutput, LinesReporter
from kdtasks.params import load_project_params

FAILED, INTERRUPTED = 1, 130


def run_pipeline(
    project: Path,
    options: RunOptions,
    *,
    dry_run: bool = False,
    prefect: bool | None = None,
) -> int:
    """Validate params.yaml, run the stages that changed and say where the report is.

    Args:
        dry_run: only say what would run.
        prefect: whether Prefect is told of the run; None if a server of it is configured.

    Returns: 0, 1 if a stage failed, 130 if the run was stopped by Ctrl-C, SIGTERM or SIGHUP.

    Raises:
        ParamsError: params.yaml is missing, incomplete or holds something that is not allowed.
        ProjectError: an option or a stage's name makes no sense, or another run is at work.
    """
    if options.workers is not None and options.workers < 1:
        raise ProjectError(
            f"--workers is {options.workers}, expected 1 or more; "
            "leave it out for as many as there are cores"
        )
    with stop_signals() as is_stopping:
        try:
            load_project_params(project)
            output = LastingOutput()
            if dry_run:
                for name, would_run in preview(project, options).items():
                    output.print(f"{name}: {'would run' if would_run else 'cached'}")
                return 0
            status = _run_or_tell(project, options, is_stopping, prefect=prefect)
            for line in summary(project) if status == 0 else []:
                output.print(line)
            return status
        except KeyboardInterrupt:
            return INTERRUPTED


def _run_or_tell(
    project: Path, options: RunOptions, is_stopping: Callable[[], bool], *, prefect: bool | None
) -> int:
    if prefect:
        _check_flow(project)  # before a server is started for nothing
    if prefect is not False:
        with prefect_server(project, wanted=bool(prefect)) as url:
            if url is not None:
                _check_flow(project)
                return _run_with_prefect(project, options)
    return _run(project, options, is_stopping)


def _run_with_prefect(project: Path, options: RunOptions) -> int:
    # flows/ is a folder of the project, not a part of the installed package
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    return int(import_module("flows.pipeline").run_with_prefect(project, options))


def _check_flow(project: Path) -> None:
    if not (project / "flows" / "pipeline.py").is_file():
        raise ProjectError(
            f"{project} has no flows/pipeline.py, by which Prefect runs the stages; "
            "add it, or run with --no-prefect"
        )


def _run(project: Path, options: RunOptions, is_stopping: Callable[[], bool]) -> int:
    with _reporter(project, options, is_stopping) as reporter:
        outcomes = execute(project, options, reporter)
    return 0 if all(outcome.is_up_to_date for outcome in outcomes.values()) else FAILED


@contextmanager
def _reporter(
    project: Path, options: RunOptions, is_stopping: Callable[[], bool]
) -> Iterator[RunObserver]:
    cores = usable_cores()
    here = Path() if project == Path.cwd() else project
    logs = here / LOGS
    # not rich's own guess: FORCE_COLOR makes it draw on pipes
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
        from kdtasks.orchestrate.runner.table import TerminalReporter

        with TerminalReporter(
            workers=options.workers,
            cores=cores,
            logs=logs,
            events=here / EVENTS,
            is_stopping=is_stopping,
        ) as reporter:
            yield reporter
    else:
        yield LinesReporter(workers=options.workers, cores=cores, logs=logs)
