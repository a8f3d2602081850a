"""Small DVC projects, as wide and as deep as a test wants them."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdtasks.orchestrate.runner.dvc_files import Command
from kdtasks.orchestrate.runner.graph import Outcome, StageState
from kdtasks.orchestrate.runner.repository import Repository
from tests.tools.dvc_command import init_dvc

# takes SECONDS, then writes a folder that holds the texts of its inputs
WORK = """\
seconds=$1 target=$2; shift 2
sleep "$seconds"  # and up to a tenth of a second more, so that every run ends in another order
sleep "0.0$(($$ % 10))"
mkdir -p "$target"
printf %s "$target" > "$target/text"
for path; do [ -d "$path" ] && path=$path/text; cat "$path" >> "$target/text"; done
echo "wrote $target"
"""


def stage(name: str, sources: list[str], seconds: float = 0.0) -> str:
    """A stage in YAML that writes the folder `out/NAME`."""
    return (
        f"  {name}:\n"
        f"    cmd: sh work.sh {seconds} out/{name} {' '.join(sources)}\n"
        f"    deps: [work.sh, {', '.join(sources)}]\n"
        f"    outs: [out/{name}]\n"
    )


def wide(width: int, depth: int, seconds: float) -> str:
    """`width` stages side by side in each of `depth` layers, and one that gathers them."""
    text = "stages:\n"
    for layer in range(depth):
        for place in range(width):
            before = [f"out/s{layer - 1}-{(place + step) % width}" for step in (0, 1)]
            text += stage(f"s{layer}-{place}", before if layer else ["source"], seconds)
    return text + stage("last", [f"out/s{depth - 1}-{place}" for place in range(width)])


@pytest.fixture(scope="session")
def empty_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project without stages. Read only: `make_project` copies it."""
    folder = tmp_path_factory.mktemp("empty") / "project"
    folder.mkdir()
    (folder / "source").write_text("source", encoding="utf-8")
    (folder / "work.sh").write_text(WORK, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    init_dvc(folder, '[cache]\n    type = "reflink,hardlink,copy"\n')
    return folder


@pytest.fixture
def make_project(
    empty_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Path]:
    """Give a function that makes a DVC project of a name and a dvc.yaml, and goes there."""

    def make(name: str, stages: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(empty_project, folder)
        (folder / "dvc.yaml").write_text(stages, encoding="utf-8")
        monkeypatch.chdir(folder)
        return folder

    return make


@pytest.fixture
def wide_stages() -> Callable[[int, int, float], str]:
    """Give the function that writes a wide dvc.yaml: width, depth, seconds a stage."""
    return wide


@pytest.fixture
def diamond(make_project: Callable[[str, str], Path]) -> Path:
    """first → left, right → last; also the current folder."""
    stages = (
        "stages:\n"
        + stage("first", ["source"])
        + stage("left", ["out/first"])
        + stage("right", ["out/first"])
        + stage("last", ["out/left", "out/right"])
    )
    return make_project("diamond", stages)


@pytest.fixture
def silent() -> Any:
    """A reporter that says nothing and keeps the lines of every stage in `lines`."""
    lines: dict[str, list[str]] = {}
    return SimpleNamespace(
        lines=lines,
        begin=lambda graph: None,
        perform=lambda node, work: work(lines.setdefault(node.name, []).append),
        skip=lambda node, outcome: None,
        end=lambda outcomes: None,
    )


def run_all(
    project: Path, targets: tuple[str, ...] = (), *, force: bool = False, pull: bool = False
) -> dict[str, Outcome]:
    """Bring stages up to date one after another, the commands run here."""
    repository = Repository(project, force=force, pull=pull)
    outcomes = {}
    try:
        graph = repository.plan(targets)
        repository.start()
        for name in graph.nodes:
            step = repository.begin(name)
            if isinstance(step, Command):
                for _, words in step.steps:
                    subprocess.run(words, cwd=step.folder, check=True)
                step = repository.finish(name)
            outcomes[name] = step
    finally:
        repository.close()
    return outcomes


def states(outcomes: Mapping[str, Outcome]) -> list[StageState]:
    return [outcome.state for outcome in outcomes.values()]
