"""What is found out before anything runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import ProjectError, SweepError
from kdtasks.orchestrate.project.git import reference
from kdtasks.orchestrate.sweep.plan import SweepOptions, SweepPlan, plan_sweep, result_path
from kdtasks.orchestrate.sweep.results import keep_result
from kdtasks.params import load_params
from kdtasks.params.tune import TuneParams
from kdtasks.params.write import render_params
from tests.tools.sweeps import point_result

SETTINGS = ("distill.alpha=0.1,0.5",)
RESULT = point_result({0: 0.9}, {0: 0.91}, validation={0: 0.8}, bootstrap=(-0.01, 0.03))


def plan(project: Path, **options: Any) -> SweepPlan:
    return plan_sweep(project, SweepOptions(**{"settings": SETTINGS, "seeds": 1, **options}))


def finish(found: SweepPlan, place: int, run_git: Callable[..., str]) -> None:
    """Let a point look as if it had run."""
    point = found.points[place]
    keep_result(result_path(found.project, point), found.inputs[point.experiment], RESULT)
    ref = reference(found.tree.head, point.experiment)
    run_git(found.project, "update-ref", ref, "HEAD")


def test_nothing_runs_and_nothing_is_left(
    project: Path, trace: Callable[[], list[str]], run_git: Callable[..., str]
):
    found = plan(project)
    assert [point.label for point in found.points] == ["alpha=0.1", "alpha=0.5"]
    assert {job.stages for job in found.jobs.values() if job.is_point} == {("compare",)}
    assert found.done == {}
    assert trace() == []
    assert run_git(project, "status", "--porcelain") == ""
    assert list((project / ".kdtasks/sweep/clones").iterdir()) == []
    assert Path(found.cache) == project / ".dvc" / "cache"


def test_seeds_of_a_sweep_are_the_first_that_did_not_tune(project: Path):
    path = project / "params.yaml"
    params = load_params(path)
    tuned = params.model_copy(update={"tune": TuneParams(trials=5, seeds=(1,)), "seeds": (7,)})
    path.write_text(render_params(tuned), encoding="utf-8")
    assert {point.params.seeds for point in plan(project, seeds=3).points} == {(0, 2, 3)}
    assert {point.params.seeds for point in plan(project, seeds=None).points} == {(7,)}


def test_git_leaves_the_clones_alone_without_being_told(project: Path, run_git: Callable[..., str]):
    text = (project / ".gitignore").read_text(encoding="utf-8")
    (project / ".gitignore").write_text(text.replace("/.kdtasks\n", ""), encoding="utf-8")
    plan(project)
    assert run_git(project, "status", "--porcelain") == "M .gitignore"


def test_a_point_that_ran_is_done(project: Path, run_git: Callable[..., str]):
    first = plan(project)
    finish(first, 0, run_git)
    second = plan(project)
    assert dict(second.done) == {first.points[0].experiment: RESULT}
    (project / "notes.md").write_text("nobody reads them", encoding="utf-8")
    assert len(plan(project).done) == 1


def test_a_point_that_rests_on_something_else_is_not(project: Path, run_git: Callable[..., str]):
    first = plan(project)
    finish(first, 0, run_git)
    code, stages, data = (project / name for name in ("work.py", "dvc.yaml", "data/raw/b.txt"))
    for path in (code, stages):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("py compare", "py compare x") + "\n", encoding="utf-8")
        assert plan(project).done == {}, path
        path.write_text(text, encoding="utf-8")
    data.write_text("something else", encoding="utf-8")
    assert plan(project).done == {}
    data.unlink()
    run_git(project, "commit", "--quiet", "--allow-empty", "--message", "next")
    assert plan(project).done == {}
    run_git(project, "reset", "--quiet", "--soft", "HEAD~1")
    assert len(plan(project).done) == 1
    ref = reference(first.tree.head, first.points[0].experiment)
    run_git(project, "update-ref", "-d", ref)
    assert plan(project).done == {}


def test_stages_that_are_not_run_do_not_count(project: Path, run_git: Callable[..., str]):
    finish(plan(project), 0, run_git)
    text = (project / "dvc.yaml").read_text(encoding="utf-8")
    (project / "dvc.yaml").write_text(text.replace("py benchmark", "py benchmark x"))
    assert len(plan(project).done) == 1


def test_data_elsewhere_are_found_for_the_points_that_read_them(project: Path):
    (project / "data/other").mkdir()
    (project / "data/other/b.txt").write_text("b", encoding="utf-8")
    with (project / ".git/info/exclude").open("a", encoding="utf-8") as file:
        file.write("/data/other\n")
    assert plan(project).tree.sources == ("data/raw/a.txt",)
    both = plan(project, settings=("data.path=data/raw,data/other",))
    assert both.tree.sources == ("data/other/b.txt", "data/raw/a.txt")


def test_a_stage_that_measures_time_keeps_points_apart(project: Path):
    found = plan(project, stages=("benchmark",), workers=2)
    assert found.jobs["alpha=0.1"].stages == ("compare", "benchmark")
    assert found.workers == 1
    assert "measures time" in (found.note or "")
    assert all(node.exclusive for node in found.graph.nodes.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "--seeds is 0, expected 1 or more"),
        ({"workers": -1}, "--workers is -1, expected 1 or more"),
        ({"settings": ()}, "needs a key to vary"),
        (
            {"settings": ("data.train_labels=0,300",)},
            "train_labels=0: students see no label .* and that is what points are compared by",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(
    project: Path, options: dict[str, Any], message: str
):
    with pytest.raises(SweepError, match=message):
        plan(project, **options)


def test_a_stage_that_does_not_exist_is_refused(project: Path):
    with pytest.raises(ProjectError, match="'repot' not found"):
        plan(project, stages=("repot",))


def test_without_dvc_there_is_no_sweep(tmp_path: Path):
    with pytest.raises(ProjectError, match="dvc init"):
        plan(tmp_path)
