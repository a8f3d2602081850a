"""Say whether a bundle may take the place of the one in production."""

from pathlib import Path

import typer

from kdtasks.commands.store_settings import find_address
from kdtasks.edge.manifest import read_manifest
from kdtasks.errors import ProjectError
from kdtasks.gate.candidate import find_candidate
from kdtasks.gate.judge import judge
from kdtasks.gate.production import fetch_production
from kdtasks.gate.wording import decision_lines
from kdtasks.params import load_params
from kdtasks.store.cache import Cache, default_cache
from kdtasks.store.keys import load_public_keys
from kdtasks.store.objects import open_objects

PROMOTE, KEEP = 0, 3


def run_gate(
    project: Path,
    bundle: Path | None,
    *,
    store: str | None,
    name: str | None,
    alias: str,
    public_key: str | None,
) -> int:
    """Judge a bundle against production by the limits in `gate`, and print why.

    Arguments:
        bundle: its folder; null for the variant that the report has chosen.
        store, name, alias: where production is; nulls for the params' store, the bundle's name.
        public_key: whose signatures count.

    Returns: 0 if the bundle may be promoted, 3 if production stays or is the same.

    Raises:
        KdTasksError: nothing can be said.
    """
    params = load_params(project / "params.yaml")
    if bundle is None:
        bundle, sentence = find_candidate(project)
        if bundle is None:
            raise ProjectError(f"no variant was chosen: {sentence}; give a bundle's folder")
    production = fetch_production(
        open_objects(find_address(store)),
        name or read_manifest(bundle).name,
        alias,
        cache=Cache(default_cache()),
        trusted=load_public_keys(public_key),
    )
    decision = judge(bundle, production, project=project, params=params)
    typer.echo("\n".join(decision_lines(decision)))
    return PROMOTE if decision.action == "promote" else KEEP
