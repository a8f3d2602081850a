"""DVC's bookkeeping in phases: the same plan, the same dvc.lock and cache as `dvc repro`."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError, StageError
from kdtasks.orchestrate.runner.dvc_files import Command
from kdtasks.orchestrate.runner.graph import Outcome, StageState
from kdtasks.orchestrate.runner.repository import Repository
from tests.orchestrate.runner.conftest import run_all, states
from tests.tools.dvc_command import dvc


def test_the_plan_is_dvcs(diamond: Path):
    repository = Repository(diamond)
    graph = repository.plan()
    assert list(graph.nodes) == ["first", "left", "right", "last"]
    assert {name: node.needs for name, node in graph.nodes.items()} == {
        "first": (),
        "left": ("first",),
        "right": ("first",),
        "last": ("left", "right"),
    }
    assert list(repository.plan(["left"]).nodes) == ["first", "left"]
    with pytest.raises(ProjectError, match=r"'rihgt' not found.*; did you mean 'right'"):
        repository.plan(["rihgt"])
    repository.close()


def test_what_a_stage_says_of_itself(make_project: Callable[[str, str], Path]):
    project = make_project(
        "matrix",
        "stages:\n"
        "  train:\n"
        "    desc: a student\n"
        "    matrix: {seed: [3, 4]}\n"
        "    meta: {threads: '${runtime.threads}', exclusive: true}\n"
        "    cmd: echo ${item.seed}\n"
        "    deps: [source]\n"
        "    metrics: ['m-${item.seed}.json']\n"
        "    plots: ['p-${item.seed}.csv': {x: epoch}]\n",
    )
    (project / "params.yaml").write_text("runtime: {threads: 5}", encoding="utf-8")
    graph = Repository(project).plan(["train"])  # a group of a matrix
    assert list(graph.nodes) == ["train@3", "train@4"]
    node = graph.nodes["train@3"]
    assert (node.description, node.threads, node.exclusive) == ("a student", 5, True)
    assert (node.metrics, node.plots) == (("m-3.json",), ("p-3.csv",))


def test_threads_are_tensorflow_s_unless_a_stage_says_otherwise(
    make_project: Callable[[str, str], Path],
):
    kinds = {
        "plain": ("{}", "python -m stages.plain"),
        "trains": ("{threads: 2}", "python -m stages.trains 0"),
        "times": ("{threads: 2, exclusive: true}", "python -m stages.times"),
        "decodes": ("{threads: 2, tensorflow: false}", "python -m stages.decodes"),
        "echoes": ("{threads: 2}", "echo python -m stages.trains"),
    }
    stages = [
        f"  {name}:\n    meta: {meta}\n    cmd: {command}"
        for name, (meta, command) in kinds.items()
    ]
    project = make_project("kinds", "\n".join(["stages:", *stages]) + "\n")
    repository = Repository(project)
    graph = repository.plan()
    repository.start()
    steps = {name: repository.begin(name) for name in graph.nodes}
    repository.close()
    assert {name for name, node in graph.nodes.items() if node.uses_tensorflow} == {"trains"}
    assert all(isinstance(step, Command) for step in steps.values())


def test_a_circle_is_refused(diamond: Path):
    text = (diamond / "dvc.yaml").read_text(encoding="utf-8").replace("[work.sh, source]", "[out]")
    (diamond / "dvc.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ProjectError, match="both a dependency and an output"):
        Repository(diamond).plan()


def test_unchanged_changed_restored_and_forced(diamond: Path):
    assert states(run_all(diamond)) == [StageState.COMPLETED] * 4
    assert dvc(diamond, "status") == "Data and pipelines are up to date.\n"
    again = run_all(diamond)
    assert states(again) == [StageState.CACHED] * 4
    first_out = dvc(diamond, "data", "status", "--granular", "--json")
    assert first_out  # the digests are DVC's
    assert again["first"].digest in (diamond / "dvc.lock").read_text(encoding="utf-8")

    (diamond / "source").write_text("new", encoding="utf-8")
    assert states(run_all(diamond)) == [StageState.COMPLETED] * 4
    (diamond / "source").write_text("source", encoding="utf-8")
    assert states(run_all(diamond)) == [StageState.RESTORED] * 4
    assert (diamond / "out/first/text").read_text(encoding="utf-8") == "out/firstsource"
    assert dvc(diamond, "status") == "Data and pipelines are up to date.\n"
    assert states(run_all(diamond, ("left",), force=True)) == [StageState.COMPLETED] * 2
    assert dvc(diamond, "repro").splitlines()[-1] == "Data and pipelines are up to date."


def test_survey_finds_what_stands_on_unchanged_ground(diamond: Path):
    run_all(diamond)
    (diamond / "out/left/text").write_text("spoilt", encoding="utf-8")
    repository = Repository(diamond)
    repository.plan()
    assert repository.survey() == {"first", "right"}
    repository.close()


def test_an_old_output_is_gone_before_the_command_runs(diamond: Path):
    run_all(diamond)
    (diamond / "source").write_text("new", encoding="utf-8")
    repository = Repository(diamond)
    repository.plan()
    assert isinstance(repository.begin("first"), Command)
    assert not (diamond / "out/first").exists()
    repository.close()


def test_an_input_that_changes_meanwhile_is_an_error(diamond: Path):
    repository = Repository(diamond)
    repository.plan()
    step = repository.begin("first")
    assert isinstance(step, Command)
    subprocess.run(step.steps[0][1], cwd=step.folder, check=True)
    (diamond / "source").write_text("changed while it ran", encoding="utf-8")
    with pytest.raises(StageError, match="stage first: source changed while it ran"):
        repository.finish("first")
    repository.close()
    assert not (diamond / "dvc.lock").exists()


def test_a_missing_input_and_a_missing_output_are_named(diamond: Path):
    repository = Repository(diamond)
    repository.plan()
    with pytest.raises(StageError, match=r"stage left: .*out/first not found; put it there"):
        repository.begin("left")
    repository.begin("first")
    with pytest.raises(StageError, match=r"stage first: output 'out/first' does not exist"):
        repository.finish("first")
    repository.close()


def test_data_under_dvcs_care_is_a_stage_too(diamond: Path):
    (diamond / "source").rename(diamond / "raw")
    dvc(diamond, "add", "raw")
    text = (diamond / "dvc.yaml").read_text(encoding="utf-8").replace("source", "raw")
    (diamond / "dvc.yaml").write_text(text, encoding="utf-8")
    first = run_all(diamond)
    assert next(iter(first)) == "raw.dvc"
    assert first["raw.dvc"].state is StageState.CACHED
    (diamond / "raw").write_text("more", encoding="utf-8")
    assert states(run_all(diamond)) == [StageState.COMPLETED] * 5
    assert dvc(diamond, "status") == "Data and pipelines are up to date.\n"


def test_pull_brings_outputs_from_the_remote(diamond: Path, tmp_path: Path):
    dvc(diamond, "remote", "add", "--default", "storage", str(tmp_path / "remote"))
    run_all(diamond)
    dvc(diamond, "push", "--run-cache")
    for gone in (".dvc/cache", "out"):
        subprocess.run(["rm", "-rf", gone], cwd=diamond, check=True)
    assert states(run_all(diamond, pull=True)) == [StageState.PULLED] * 4
    assert dvc(diamond, "status") == "Data and pipelines are up to date.\n"

    for gone in (".dvc/cache", "out", "dvc.lock"):  # the run-cache alone knows the hashes
        subprocess.run(["rm", "-rf", gone], cwd=diamond, check=True)
    assert states(run_all(diamond, pull=True)) == [StageState.PULLED] * 4
    assert dvc(diamond, "status") == "Data and pipelines are up to date.\n"


def test_pull_without_a_remote_says_so(diamond: Path):
    with pytest.raises(ProjectError, match="--pull needs a DVC remote"):
        Repository(diamond, pull=True).plan()


def test_a_frozen_stage_waits_for_what_it_ignores(diamond: Path):
    """It hashes its inputs all the same, so they must be whole."""
    text = (diamond / "dvc.yaml").read_text(encoding="utf-8")
    (diamond / "dvc.yaml").write_text(text.replace("  left:\n", "  left:\n    frozen: true\n"))
    repository = Repository(diamond)
    assert repository.plan().nodes["left"].needs == ("first",)
    repository.close()


def test_a_stopped_run_begins_nothing(diamond: Path):
    run_all(diamond)
    (diamond / "source").write_text("new", encoding="utf-8")
    repository = Repository(diamond)
    repository.plan()
    ended = repository.begin("first", lambda: True)
    assert isinstance(ended, Outcome)
    assert ended.state is StageState.CANCELLED
    repository.close()
    assert (diamond / "out/first/text").exists()


@pytest.mark.parametrize("threads", ["many", 0])
def test_threads_that_make_no_sense_are_refused(
    make_project: Callable[[str, str], Path], threads: object
):
    stages = f"stages:\n  one:\n    cmd: echo\n    meta: {{threads: {threads}}}\n"
    project = make_project("threads", stages)
    with pytest.raises(ProjectError, match=r"stage one: meta\.threads is .*, expected a whole"):
        Repository(project).plan()
