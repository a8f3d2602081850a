"""Say whether a bundle may take the place of the one in production."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from kdtasks.cli.output import print_result
from kdtasks.cli.run import import_flow
from kdtasks.cli.status import Status
from kdtasks.compress.tflite.estimated_latency import benchmark_at
from kdtasks.core.errors import (
    ProjectError,
    StoreError,
    StoreMissingError,
    TelemetryError,
    did_you_mean,
)
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.prepared import open_prepared
from kdtasks.deploy.drift import Drift, detect_drift, reference_histograms
from kdtasks.deploy.gate.decision import PRODUCTION
from kdtasks.deploy.gate.describe import decision_lines
from kdtasks.deploy.gate.gate import (
    GateSettings,
    Production,
    assess_candidate,
    fetch_production,
    find_candidate,
)
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.cache import Cache, default_cache
from kdtasks.deploy.store.catalogue import fetch_telemetry, list_models
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.publish import as_folder
from kdtasks.deploy.store.signing import load_public_keys
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.telemetry import read_telemetry
from kdtasks.orchestrate.prefect_server import configured_server, prefect_server
from kdtasks.orchestrate.project.project import find_address
from kdtasks.params import load_params


@dataclass(frozen=True)
class ProductionOptions:
    """Options of a command; nulls where none was given."""

    store: str | None = None  # null for store.address of the params
    name: str | None = None
    alias: str | None = None  # null for production
    public_key: str | None = None

    def fetch(self, usual_name: str) -> Production | None:
        """Pull what is in production; null where there is nothing yet.

        Args:
            usual_name: of the model, if no other is given.

        Raises:
            StoreError: as `fetch_production`, or no store is named.
        """
        return fetch_production(
            self.open(),
            self.name or usual_name,
            self.alias or PRODUCTION,
            cache=Cache(default_cache()),
            trusted=load_public_keys(self.public_key),
        )

    def check_no_slip(self, usual_name: str) -> None:
        """Let no slip of the pen pass for a first release, where `fetch` has found nothing.

        A store that holds no model yet has room for any name.

        Args:
            usual_name: as for `fetch`.

        Raises:
            StoreMissingError: the name or the alias that was given is not in the store, and
                something else is.
        """
        if self.name is None and self.alias is None:
            return
        objects, name = self.open(), self.name or usual_name
        held = {model.name: model.aliases for model in list_models(objects)}
        if not held or (name in held and self.alias is None):
            return
        if name in held:
            option, what, given, known = "--alias", f"alias of {name}", self.alias, [*held[name]]
        else:
            option, what, given, known = "--name", "model", name, [*held]
        raise StoreMissingError(
            f"the store {objects.identity} has no {what} called {given}, only "
            f"{', '.join(sorted(known)) or 'versions'}{did_you_mean(str(given), known)}; give "
            f"{option} one of these, or --first if there is no model in production yet"
        )

    def open(self) -> Objects:
        """Open the store."""
        return open_objects(find_address(self.store))


def run_gate(
    project: Path,
    bundle: Path | None,
    options: ProductionOptions,
    *,
    is_first: bool = False,
    as_json: bool = False,
) -> int:
    """Judge a bundle against production by the limits in `gate`, and print why.

    Args:
        bundle: a folder, a `.kdz` or a `.tflite`; null for the variant that the report has chosen.
        options: where production is; the bundle's own name counts where none is given.
        is_first: there is no model in production yet; only the absolute limits count.

    Returns: 0 if the bundle may be promoted, 3 if production stays or is the same.

    Raises:
        KdTasksError: nothing can be said, or a name or alias that was given is not found.
    """
    params = load_params(ProjectPaths(project).params)
    settings = GateSettings.of(params, timed=benchmark_at)
    if bundle is None:
        bundle, sentence = find_candidate(project)
        if bundle is None:
            raise ProjectError(f"no variant was chosen: {sentence}; give a bundle")
    with as_folder(bundle) as folder:
        usual_name, alias = read_manifest(folder).name, options.alias or PRODUCTION
        production = options.fetch(usual_name)
        if production is None and not is_first:
            options.check_no_slip(usual_name)
        elif production and is_first:
            raise StoreError(
                f"{production.version.name}@{alias} stands for version "
                f"{production.version.number} already, so this is no first release; leave --first "
                "out"
            )
        decision = assess_candidate(
            folder,
            production,
            project=project,
            settings=settings,
            name=options.name,
            alias=alias,
        )
    content = {
        "action": decision.action,
        "model": decision.model,
        "alias": decision.alias,
        "version": decision.version,
        "checks": [check._asdict() for check in decision.checks],
        "notes": decision.notes,
    }
    print_result(content, "\n".join(decision_lines(decision)), as_json=as_json)
    return 0 if decision.action == "promote" else Status.DECLINED


def run_drift(
    project: Path,
    paths: Sequence[Path],
    options: ProductionOptions,
    *,
    hours: float | None = None,
    as_json: bool = False,
) -> int:
    """Compare telemetry with production's answers to the test split; drift is an event in Prefect.

    Args:
        paths: files of telemetry, and folders with `.json` and `.jsonl` files; none takes what
            agents have sent to the store.
        hours: only what they have sent in the last so many; null takes all.
        options: where production is; `export.name` counts where no name is given.

    Returns: 0, or 3 if there is drift.

    Raises:
        KdTasksError: nothing can be said, or the server that is configured cannot be told.
    """
    params = load_params(ProjectPaths(project).params)
    name, alias = options.name or params.export.name, options.alias or PRODUCTION
    if paths:
        summaries = [summary for path in telemetry_files(paths) for summary in read_telemetry(path)]
    else:
        summaries = fetch_telemetry(options.open(), name, hours=hours)
    production = options.fetch(name)
    if production is None:
        raise StoreMissingError(f"{name} has no alias {alias}, so there is nothing to drift from")
    drift = detect_drift(
        summaries,
        reference_histograms(production.folder, open_prepared(ProjectPaths(project).prepared)),
        sha256=read_manifest(production.folder).sha256,
        limits=params.drift,
    )
    number = production.version.number
    content = {"model": name, "alias": alias, "version": number, **drift._asdict()}
    text = f"{name}@{alias}, version {number}: {drift.sentence}"
    print_result(content, text, as_json=as_json)
    if drift.is_drift:
        _report_drift(project, name, number, drift)
    return Status.DECLINED if drift.is_drift else 0


def telemetry_files(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, and of folders all `.json` and `.jsonl` files below them.

    Raises:
        TelemetryError: a path is not found, or there is no file at all.
    """
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise TelemetryError(f"{missing[0]} not found; give files or folders of telemetry")
    files = [
        file
        for path in paths
        for file in (sorted([*path.rglob("*.json"), *path.rglob("*.jsonl")]) or [path])
        if file.is_file()
    ]
    if not files:
        raise TelemetryError(f"no .json or .jsonl file in {', '.join(map(str, paths))}")
    return files


def _report_drift(project: Path, name: str, version: int, drift: Drift) -> None:
    if configured_server(project) is None:
        typer.echo("no Prefect server is configured, so no event was sent", err=True)
        return
    # one that is configured and does not answer is an error: the drift must not go unheard
    with prefect_server(project, needed=True) as url:
        flow = import_flow(project, "drift")
        flow.tell_prefect(name, {"version": version, **drift._asdict()})
        typer.echo(f"sent an event to the Prefect server at {url}", err=True)
