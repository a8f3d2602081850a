"""Say whether a bundle may take the place of the one in production."""

from pathlib import Path

import typer

from kdtasks.commands.production import ProductionOptions
from kdtasks.edge.manifest import read_manifest
from kdtasks.errors import ProjectError, StoreError
from kdtasks.gate.candidate import find_candidate
from kdtasks.gate.decision import PRODUCTION
from kdtasks.gate.judge import GateSettings, judge
from kdtasks.gate.wording import decision_lines
from kdtasks.params import Params, load_params
from kdtasks.store.unpacked import as_folder

PROMOTE, KEEP = 0, 3


def run_gate(
    project: Path, bundle: Path | None, options: ProductionOptions, *, is_first: bool = False
) -> int:
    """Judge a bundle against production by the limits in `gate`, and print why.

    Arguments:
        bundle: a folder, a `.kdz` or a `.tflite`; null for the variant that the report has chosen.
        options: where production is; the bundle's own name counts where none is given.
        is_first: there is no model in production yet; only the absolute limits count.

    Returns: 0 if the bundle may be promoted, 3 if production stays or is the same.

    Raises:
        KdTasksError: nothing can be said, or a name or alias that was given is not there.
    """
    params = load_params(project / "params.yaml")
    if bundle is None:
        bundle, sentence = find_candidate(project)
        if bundle is None:
            raise ProjectError(f"no variant was chosen: {sentence}; give a bundle")
    with as_folder(bundle) as folder:
        return _judge(project, folder, params, options, is_first=is_first)


def _judge(
    project: Path, bundle: Path, params: Params, options: ProductionOptions, *, is_first: bool
) -> int:
    usual_name, alias = read_manifest(bundle).name, options.alias or PRODUCTION
    production = options.fetch(usual_name)
    if production is None and not is_first:
        options.check_no_slip(usual_name)
    elif production and is_first:
        raise StoreError(
            f"{production.version.name}@{alias} stands for version {production.version.number} "
            "already, so this is no first release; leave --first out"
        )
    settings = GateSettings(params.gate, params.evaluate, params.benchmark, params.data)
    decision = judge(bundle, production, project=project, settings=settings, alias=alias)
    typer.echo("\n".join(decision_lines(decision)))
    return PROMOTE if decision.action == "promote" else KEEP
