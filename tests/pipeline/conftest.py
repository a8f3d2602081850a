"""The pipeline as a user runs it, on a small copy of the project."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from kdtasks.params import Params, load_params
from tests.tools.complete_params import write_params
from tests.tools.dvc_command import init_dvc

ROOT = Path(__file__).parents[2]
CODE = ("dvc.yaml", ".dvcignore", "extensions", "stages", "kdtasks")
VARIANTS = ("float32", "filters+int8")
# What differs from the default recipe: 900 images of 8×8, networks of a few thousand weights.
SMALL = {
    "recipe": "tiny-digits",
    "seeds": [0, 1],
    "data.source.name": "digits",
    "data.max_images": 900,
    "augmentation.views": 2,
    "train.batch_size": 32,
    "train.guard_epochs": 30,
    "teacher.model.filters": [8, 16],
    "teacher.model.dense": [16],
    "teacher.epochs": 30,
    "student.model.filters": [4, 8],
    "student.exits": ["block_1"],
    "distill.epochs": 30,
    "compress.variants": list(VARIANTS),
    "compress.passes.filters.epochs": 2,
    "compress.representative_images": 40,
    "exits.grid": 21,
    "evaluate.bootstrap_samples": 200,
    "benchmark.images": 20,
    "benchmark.warmup": 2,
}
NO_GIT = "[core]\n    no_scm = true\n"
EditParams = Callable[[Path, dict[str, object]], None]
RunIn = Callable[..., subprocess.CompletedProcess[str]]


def edit(folder: Path, changes: dict[str, object]) -> None:
    """Set keys of a folder's `params.yaml`, each written with dots."""
    yaml, path = YAML(), folder / "params.yaml"
    content = yaml.load(path)
    for key, value in changes.items():
        *sections, last = key.split(".")
        section = content
        for name in sections:
            section = section[name]
        assert last in section, key
        section[last] = value
    yaml.dump(content, path)


def lay_out(project: Path) -> None:
    """Write a project of small digits that nobody has run yet."""
    project.mkdir()
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name, ignore=shutil.ignore_patterns(".*partial*"))
        else:
            shutil.copy(source, project / name)
    for folder in (
        "data/raw",
        "data/raw-unlabelled",
        "data/slices",
        "models/arm",
        "models/import",
        "models/published",
        "models/start",
    ):
        (project / folder).mkdir(parents=True)
        (project / folder / ".gitkeep").touch()
    write_params(project)
    edit(project, SMALL)


@pytest.fixture(scope="session")
def edit_params() -> EditParams:
    """Give a function that sets keys of a folder's `params.yaml`, each written with dots."""
    return edit


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of a shell, in which every folder runs its own copy of the code."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="session")
def run_in(command_folder: Path) -> RunIn:
    """Give a function that runs a command in a folder to its end; `dvc` and `kdtasks` are warm."""

    def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            command,
            cwd=folder,
            env={**environment, "PATH": f"{command_folder}{os.pathsep}{environment['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done

    return run


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, run_in: RunIn) -> Path:
    """A project of small digits, run to its end once; tests leave it as it is."""
    project = tmp_path_factory.mktemp("pipeline") / "project"
    lay_out(project)
    init_dvc(project, NO_GIT)
    # What `dvc repro` makes of it, sooner; that this one has nothing to do is tested.
    run_in(project, "kdtasks", "run", "--no-prefect")
    return project


@pytest.fixture(scope="session")
def params(project: Path) -> Params:
    """What the project ran with."""
    return load_params(project / "params.yaml")


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    """Each variant in turn."""
    name: str = request.param
    return name
