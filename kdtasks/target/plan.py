"""What a search has to do: the ladder as the points of a sweep."""

from pathlib import Path
from typing import NamedTuple

from kdtasks.errors import SweepError
from kdtasks.params import load_project_params
from kdtasks.params.compression import TargetParams
from kdtasks.params.load import parse_params
from kdtasks.runner.workspace import check_workspace
from kdtasks.sweep.grid import Grid
from kdtasks.sweep.plan import SweepPlan, plan_points
from kdtasks.sweep.working_tree import last_commit
from kdtasks.target.ladder import Rung, make_ladder
from kdtasks.target.trial import TrialResult, make_trial

STAGE = "compress"  # writes what limits are held against
COSTS = ("max_size_kb", "max_gzip_kb", "max_latency_ms", "max_macs")


class TargetPlan(NamedTuple):
    """All that is known before anything runs."""

    limits: TargetParams
    ladder: dict[str, Rung]  # by label
    sweep: SweepPlan[TrialResult]
    recipe: str


def make_plan(project: Path, given: dict[str, float]) -> TargetPlan:
    """Validate the limits and every trial, and find out what there is to do. Nothing runs.

    Arguments:
        given: limits that go before those of `compress.target`.

    Raises:
        ParamsError: params.yaml or a limit is not valid.
        SweepError: there is no limit to reach.
        ProjectError: git or DVC cannot do their part.
    """
    params = load_project_params(project)
    content = params.model_dump(mode="json")
    content["compress"]["target"].update(given)
    limits = parse_params(content, source="kdtasks target").compress.target
    if all(getattr(limits, name) is None for name in COSTS):
        raise SweepError(
            "compress.target has no limit that the float32 student does not keep: got "
            f"max_accuracy_drop alone; give one of {', '.join(COSTS)} there, or on the command "
            "line as --max-size-kb 20"
        )
    check_workspace(project)
    last_commit(project)
    text = (project / "params.yaml").read_text(encoding="utf-8")
    ladder = make_ladder(limits, params.compress)
    trials = [make_trial(text, rung) for rung in ladder]
    sweep = plan_points(project, Grid(()), trials, (STAGE,), kind=TrialResult, workers=1)
    return TargetPlan(limits, {rung.label: rung for rung in ladder}, sweep, params.recipe)
