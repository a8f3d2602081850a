"""What dvc.yaml makes of a project."""

from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.sweep.grid import make_points, parse_grid
from kdtasks.orchestrate.sweep.pipeline import Pipeline, read_blueprint, read_pipeline


def pipelines(project: Path, *settings: str) -> dict[str, Pipeline]:
    found = {}
    for point in make_points(project, parse_grid(settings), seeds=range(2), stages=("compare",)):
        (project / "params.yaml").write_text(point.text, encoding="utf-8")
        found[point.label] = read_pipeline(project, ["compare"])
    return found


def test_stages_come_after_what_they_need(project: Path):
    pipeline = read_pipeline(project, ["compare"])
    names = list(pipeline.stages)
    seeds = [f"{stage}@{seed}" for stage in ("student", "distill") for seed in range(3)]
    assert set(names) == {"prepare", "labels", "teacher", "compare", *seeds}
    for stage in pipeline.stages.values():
        assert all(names.index(need) < names.index(stage.name) for need in stage.needs)
    assert pipeline.stages["compare"].needs == (
        "distill@0", "distill@1", "distill@2", "student@0", "student@1", "student@2"
    )  # fmt: skip
    assert pipeline.stages["distill@1"].needs == ("labels", "prepare", "teacher")
    assert pipeline.sources == {"data/raw", "work.py"}
    assert {"data/prepared", "timings", "metrics/compare.json"} <= pipeline.outputs


def test_a_stage_that_measures_time_is_known(project: Path):
    assert not any(s.exclusive for s in read_pipeline(project, ["compare"]).stages.values())
    pipeline = read_pipeline(project, ["compare", "benchmark"])
    assert [s.name for s in pipeline.stages.values() if s.exclusive] == ["benchmark"]


def test_data_under_the_care_of_dvc_are_a_source(project: Path):
    (project / "data" / "raw.dvc").write_text("outs:\n- path: raw\n", encoding="utf-8")
    assert "data/raw" in read_pipeline(project, ["prepare"]).sources


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("compar", "Stage 'compar' not found inside 'dvc.yaml' file; did you mean 'compare'?"),
        ("distill@9", "'distill@9' not found"),
    ],
)
def test_a_stage_that_does_not_exist_is_refused(project: Path, target: str, message: str):
    with pytest.raises(ProjectError, match=message):
        read_pipeline(project, [target])


def test_a_dvc_yaml_that_is_not_valid_is_one_line(project: Path):
    (project / "dvc.yaml").write_text("stages: {a: {comd: x}}", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        read_pipeline(project, ["compare"])
    assert "\n" not in str(caught.value)


def test_only_what_a_setting_touches_differs(project: Path):
    first, second = pipelines(project, "distill.alpha=0.1,0.5").values()
    differing = {name for name in first.stages if first.identities[name] != second.identities[name]}
    assert differing == {"distill@0", "distill@1", "compare"}


def test_a_stage_that_reads_params_yaml_itself_differs_with_it(project: Path):
    text = (project / "dvc.yaml").read_text(encoding="utf-8")
    added = text.replace("deps: [data/prepared, work.py]\n    params: [teacher]",
                         "deps: [data/prepared, work.py, params.yaml]")  # fmt: skip
    (project / "dvc.yaml").write_text(added, encoding="utf-8")
    first, second = pipelines(project, "distill.alpha=0.1,0.5").values()
    assert first.identities["prepare"] == second.identities["prepare"]
    assert first.identities["teacher"] != second.identities["teacher"]


def test_points_of_one_shape_have_one_blueprint(project: Path):
    own = read_blueprint(project, ["compare"])
    settings = ("distill.alpha=0.1,0.5", "runtime.threads=1,2")
    points = make_points(project, parse_grid(settings), seeds=None, stages=())
    shapes = [own.shape(point.draft.content) for point in points]
    assert shapes[0] == shapes[2] != shapes[1] == shapes[3]
    (project / "params.yaml").write_text(points[2].text, encoding="utf-8")
    found = own.pipeline(points[2].draft.content)
    assert found == read_pipeline(project, ["compare"])
    assert found != own.pipeline(points[0].draft.content)
