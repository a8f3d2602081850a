"""A preview says of every stage why it would run."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from dvc_data.hashfile.hash_info import HashInfo

from kdtasks.orchestrate.runner.dvc_files import digest
from kdtasks.orchestrate.runner.execute import RunOptions, preview
from tests.orchestrate.runner.conftest import run_all

STAGES = """\
stages:
  count:
    cmd: cp source counted
    deps: [source]
    params: [size, 'name']
    outs: [counted]
  use:
    cmd: cp counted used
    deps: [counted]
    outs: [used]
"""


@pytest.fixture
def project(make_project: Callable[[str, str], Path]) -> Path:
    folder = make_project("reasons", STAGES)
    (folder / "params.yaml").write_text("size: 1\nname: a\n", encoding="utf-8")
    return folder


def why(project: Path, *, force: bool = False) -> dict[str, tuple[str, ...]]:
    return preview(project, RunOptions(force=force))


def test_a_stage_without_a_record_has_not_run_yet(project: Path):
    new = "it has not run yet"
    assert why(project) == {"count": (new,), "use": (new, "it needs count")}


def test_what_has_changed_is_named_with_old_and_new_values(project: Path):
    run_all(project)
    assert why(project) == {"count": (), "use": ()}
    assert why(project, force=True) == {"count": ("--force",), "use": ("--force", "it needs count")}
    (project / "params.yaml").write_text("size: 2\nname: a\n", encoding="utf-8")
    (project / "source").write_text("other", encoding="utf-8")
    (project / "used").unlink()
    assert why(project) == {
        "count": ("source has changed", "size is 2, was 1"),
        "use": ("its output used is missing", "it needs count"),
    }


def test_a_command_a_param_and_an_output_that_changed(project: Path):
    run_all(project)
    (project / "params.yaml").write_text("name: a\n", encoding="utf-8")
    text = STAGES.replace("cp counted used", "cp counted  used")
    (project / "dvc.yaml").write_text(text, encoding="utf-8")
    (project / "used").unlink()
    (project / "used").write_text("by hand", encoding="utf-8")
    assert why(project) == {
        "count": ("size is gone from params.yaml",),
        "use": ("its output used has changed", "its command has changed", "it needs count"),
    }


def test_what_always_runs_says_so(make_project: Callable[[str, str], Path]):
    project = make_project(
        "always",
        "stages:\n  every: {cmd: echo every}\n"
        "  often: {cmd: cp source often, deps: [source], outs: [often], always_changed: true}\n",
    )
    run_all(project)
    assert why(project) == {
        "every": ("it always runs, as it has no dependencies",),
        "often": ("it always runs",),
    }


def test_the_hash_of_a_stage_is_of_all_its_outputs():
    def of(*hashes: str) -> str:
        outs = [SimpleNamespace(hash_info=HashInfo("md5", value)) for value in hashes]
        return digest(SimpleNamespace(outs=outs))

    assert (of(), of("abc.dir")) == ("", "abc.dir")
    assert len({of("a", "b"), of("a", "c"), of("b", "a"), of("a")}) == 4
