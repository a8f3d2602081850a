"""Say whether a bundle may take the place of the one in production."""

from pathlib import Path

import typer

from kdtasks.commands.production import ProductionOptions
from kdtasks.edge.manifest import read_manifest
from kdtasks.errors import ProjectError
from kdtasks.gate.candidate import find_candidate
from kdtasks.gate.judge import judge
from kdtasks.gate.wording import decision_lines
from kdtasks.params import load_params

PROMOTE, KEEP = 0, 3


def run_gate(project: Path, bundle: Path | None, options: ProductionOptions) -> int:
    """Judge a bundle against production by the limits in `gate`, and print why.

    Arguments:
        bundle: its folder; null for the variant that the report has chosen.
        options: where production is; the bundle's own name counts where none is given.

    Returns: 0 if the bundle may be promoted, 3 if production stays or is the same.

    Raises:
        KdTasksError: nothing can be said.
    """
    params = load_params(project / "params.yaml")
    if bundle is None:
        bundle, sentence = find_candidate(project)
        if bundle is None:
            raise ProjectError(f"no variant was chosen: {sentence}; give a bundle's folder")
    production = options.fetch(read_manifest(bundle).name)
    decision = judge(bundle, production, project=project, params=params)
    typer.echo("\n".join(decision_lines(decision)))
    return PROMOTE if decision.action == "promote" else KEEP
