"""Run the pipeline: `dvc repro`, or the Prefect flow around it."""

import sys
from collections.abc import Sequence
from pathlib import Path

from kdtasks.atomic import read_json
from kdtasks.commands.process import run_attached
from kdtasks.commands.project import DVC, child_environment
from kdtasks.errors import ProjectError
from kdtasks.params import load_project_params


def run_pipeline(
    project: Path,
    stages: Sequence[str] = (),
    *,
    force: bool = False,
    dry_run: bool = False,
    prefect: bool = False,
) -> int:
    """Validate params.yaml, run the stages that changed and say where the report is.

    Arguments:
        stages: names of stages, with what they depend on; empty for all.
        force: run stages that did not change as well.
        dry_run: only say what would run.
        prefect: run the flow of flows/pipeline.py in place of `dvc repro`.

    Returns: the exit status of DVC or of the flow.

    Raises:
        ParamsError: params.yaml is missing, incomplete or holds something that is not allowed.
        ProjectError: `prefect` came with stages or with a dry run.
    """
    load_project_params(project)
    environment = child_environment()
    if prefect:
        if stages or dry_run:
            raise ProjectError(
                "--prefect runs the whole pipeline; leave out the stages and --dry-run"
            )
        command = [sys.executable, "-m", "flows.pipeline", *["--force"] * force]
    else:
        command = [*DVC, "repro", *["--force"] * force, *["--dry"] * dry_run, *stages]
    sys.stdout.flush()
    # the flow stops its stages itself, and needs its temporary server until it has
    status = run_attached(
        command, folder=project, environment=environment, signal_group=not prefect
    ).status
    if status == 0 and not dry_run:
        for line in summary(project):
            print(line)
    return status


def summary(project: Path) -> list[str]:
    """The report's headline and where its page is, as far as they are there."""
    selection = project / "report" / "selection.json"
    page = project / "report" / "index.html"
    headline = read_json(selection).get("headline") if selection.is_file() else None
    return [
        *([str(headline)] if headline else []),
        *([f"report: {page}"] if page.is_file() else []),
    ]
