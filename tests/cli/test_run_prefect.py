"""`kdtasks run` with a Prefect server and without one; the flow is the project's own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdtasks.cli.run import run_pipeline
from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.runner.execute import RunOptions

ALL, PREPARE = RunOptions(), RunOptions(stages=("prepare",))

FLOW = """
def run_with_prefect(project, options):
    print('the flow runs', project.name, options.stages)
    return 0 if options.stages else 1
"""


@pytest.fixture
def with_flow(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a flow that only says that it runs."""
    (project / "flows").mkdir()
    (project / "flows" / "__init__.py").touch()
    (project / "flows" / "pipeline.py").write_text(FLOW, encoding="utf-8")
    (project / "report" / "selection.json").write_text('{"headline": "better"}')
    monkeypatch.setattr("sys.path", [*sys.path])
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if is_flow(name)}
    yield project
    for name in list(sys.modules):
        if is_flow(name):
            del sys.modules[name]
    sys.modules.update(hidden)


def is_flow(name: str) -> bool:
    return name.partition(".")[0] == "flows"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """In place of `prefect_server`: which URL it has, and whether it was asked for one."""
    state: dict[str, object] = {"url": None, "asked": []}

    @contextmanager
    def prefect_server(project: Path, *, needed: bool) -> Iterator[object]:
        state["asked"] = [*state["asked"], needed]  # type: ignore[misc]
        yield state["url"]

    monkeypatch.setattr("kdtasks.cli.run.prefect_server", prefect_server)
    return state


@pytest.mark.parametrize("prefect", [True, None])
def test_a_server_is_told_by_the_projects_flow(
    with_flow: Path,
    server: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    prefect: bool | None,
):
    server["url"] = "http://127.0.0.1:4200/api"
    assert run_pipeline(with_flow, PREPARE, prefect=prefect) == 0
    assert capsys.readouterr().out == "the flow runs project ('prepare',)\nbetter\n"
    assert server["asked"] == [bool(prefect)]
    assert run_pipeline(with_flow, ALL, prefect=prefect) == 1
    assert capsys.readouterr().out == "the flow runs project ()\n"


def test_without_a_server_there_is_no_flow(
    with_flow: Path, server: dict[str, object], capsys: pytest.CaptureFixture[str]
):
    assert run_pipeline(with_flow, PREPARE) == 0
    assert "prepare: cached" in capsys.readouterr().out
    assert server["asked"] == [False]


def test_no_prefect_asks_for_no_server(with_flow: Path, server: dict[str, object]):
    server["url"] = "http://127.0.0.1:4200/api"
    assert run_pipeline(with_flow, PREPARE, prefect=False) == 0
    assert server["asked"] == []


@pytest.mark.parametrize(("prefect", "asked"), [(True, []), (None, [False])])
def test_a_project_without_a_flow(
    project: Path, server: dict[str, object], prefect: bool | None, asked: list[bool]
):
    server["url"] = "http://127.0.0.1:4200/api"
    with pytest.raises(ProjectError, match=r"has no flows/pipeline\.py.*--no-prefect"):
        run_pipeline(project, ALL, prefect=prefect)
    assert server["asked"] == asked  # none is started for nothing
