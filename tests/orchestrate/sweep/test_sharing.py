"""Which stages points have in common."""

from pathlib import Path

from kdtasks.orchestrate.sweep.grid import make_points, parse_grid
from kdtasks.orchestrate.sweep.jobs import shared_stages
from kdtasks.orchestrate.sweep.pipeline import Pipeline, read_pipeline

CODE = """stages:
  code:
    cmd: python work.py code
    deps: [work.py]
    params: [distill.loss]
    outs: [data/code]
"""


def pipelines(project: Path, *settings: str) -> dict[str, Pipeline]:
    found = {}
    for point in make_points(project, parse_grid(settings), seeds=range(2), stages=("compare",)):
        (project / "params.yaml").write_text(point.text, encoding="utf-8")
        found[point.label] = read_pipeline(project, ["compare"])
    return found


def test_what_all_points_share_is_one_group(project: Path):
    found = pipelines(project, "distill.alpha=0.1,0.5", "distill.temperature=3,6")
    (group,) = shared_stages(found)
    assert group.members == tuple(found)
    assert set(group.stages) == {"prepare", "labels", "teacher", "student@0", "student@1"}
    assert group.needs == ()


def test_what_some_points_share_waits_for_what_all_share(project: Path):
    found = pipelines(project, "student.learning_rate=0.001,0.01", "distill.alpha=0.1,0.5")
    everyone, slow, fast = shared_stages(found)
    assert set(everyone.stages) == {"prepare", "labels", "teacher"}
    assert slow.members == ("learning_rate=0.001, alpha=0.1", "learning_rate=0.001, alpha=0.5")
    assert slow.stages == fast.stages == ("student@0", "student@1")
    assert slow.needs == fast.needs == (0,)
    # every stage of every point is either its own or in exactly one of its groups
    for name, pipeline in found.items():
        shared = [stage for g in (everyone, slow, fast) if name in g.members for stage in g.stages]
        assert len(shared) == len(set(shared))
        assert set(pipeline.stages) - set(shared) == {"distill@0", "distill@1", "compare"}


def test_points_of_other_losses_share_what_runs_none(project: Path):
    """The list of code is another file by then, but not the part that these stages depend on."""
    text = (project / "dvc.yaml").read_text(encoding="utf-8")
    text = text.replace("work.py]", "work.py, data/code/prepare.txt]", 1)
    text = text.replace("stages:\n", CODE, 1)
    (project / "dvc.yaml").write_text(text, encoding="utf-8")
    (group,) = shared_stages(pipelines(project, "distill.loss.name=kd,dkd"))
    assert set(group.stages) == {"code", "prepare", "labels", "teacher", "student@0", "student@1"}


def test_one_point_alone_shares_nothing(project: Path):
    assert shared_stages(pipelines(project, "distill.alpha=0.1")) == []
