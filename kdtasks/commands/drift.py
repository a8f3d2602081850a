"""Say whether telemetry of devices tells of drift, and tell Prefect if it does."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import typer

from kdtasks.commands.production import ProductionOptions
from kdtasks.commands.server import configured_server, prefect_server
from kdtasks.datasets.prepared import open_prepared
from kdtasks.drift.detection import Drift, detect_drift
from kdtasks.drift.reference import reference_histograms
from kdtasks.edge.manifest import read_manifest
from kdtasks.edge.telemetry import read_telemetry
from kdtasks.errors import StoreMissingError, TelemetryError
from kdtasks.gate.decision import PRODUCTION
from kdtasks.gate.judge import PREPARED
from kdtasks.params import load_params
from kdtasks.store.telemetry import fetch_telemetry

NO_DRIFT, DRIFT = 0, 3


def run_drift(
    project: Path, paths: Sequence[Path], options: ProductionOptions, *, hours: float | None = None
) -> int:
    """Compare telemetry with production's answers to the test split; drift is an event in Prefect.

    Arguments:
        paths: files of telemetry, and folders with `.json` and `.jsonl` files; none takes what
            agents have sent to the store.
        hours: only what they have sent in the last so many; null takes all.
        options: where production is; `export.name` counts where no name is given.

    Returns: 0, or 3 if there is drift.

    Raises:
        KdTasksError: nothing can be said, or the server that is configured cannot be told.
    """
    params = load_params(project / "params.yaml")
    name, alias = options.name or params.export.name, options.alias or PRODUCTION
    if paths:
        summaries = [one for path in telemetry_files(paths) for one in read_telemetry(path)]
    else:
        summaries = fetch_telemetry(options.open(), name, hours=hours)
    production = options.fetch(name)
    if production is None:
        raise StoreMissingError(f"{name} has no alias {alias}, so there is nothing to drift from")
    drift = detect_drift(
        summaries,
        reference_histograms(production.folder, open_prepared(project / PREPARED)),
        sha256=read_manifest(production.folder).sha256,
        limits=params.drift,
    )
    typer.echo(f"{name}@{alias}, version {production.version.number}: {drift.sentence}")
    if drift.is_drift:
        _tell(project, name, production.version.number, drift)
    return DRIFT if drift.is_drift else NO_DRIFT


def telemetry_files(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, and of folders all `.json` and `.jsonl` files below them.

    Raises:
        TelemetryError: a path is not there, or there is no file at all.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise TelemetryError(f"{path} is not there; give files or folders of telemetry")
        inside = [*path.rglob("*.json"), *path.rglob("*.jsonl")] if path.is_dir() else [path]
        found.extend(sorted(inside))
    if not found:
        raise TelemetryError(f"no .json or .jsonl file in {', '.join(map(str, paths))}")
    return found


def _tell(project: Path, name: str, version: int, drift: Drift) -> None:
    if configured_server(project) is None:
        typer.echo("no Prefect server is configured, so nobody was told", err=True)
        return
    # one that is configured and does not answer is an error: the drift must not go unheard
    with prefect_server(project, wanted=True) as url:
        # flows/ is a folder of the project, not a part of the installed package
        if str(project) not in sys.path:
            sys.path.insert(0, str(project))
        import_module("flows.drift").tell_prefect(name, {"version": version, **drift.to_json()})
        typer.echo(f"told the Prefect server at {url}", err=True)
