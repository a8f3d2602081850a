"""What the stages made is shared through a DVC remote in S3, and then nobody runs it again."""

import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tools.s3_servers import BUCKET, SETTINGS

# The limit holds for the whole run too, which the first test waits for.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parents[2]
RunIn = Callable[..., subprocess.CompletedProcess[str]]
OUTPUTS = (
    *("data/prepared", "data/targets", "models", "exits", "bundles", "predictions"),
    *("metrics", "plots", "report"),
)


def contents(project: Path) -> dict[str, bytes]:
    """The bytes of all outputs of a project."""
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for name in OUTPUTS
        for path in (project / name).rglob("*")
        if path.is_file() and path.name != ".gitkeep"
    }


@pytest.fixture(scope="module", params=["moto", "ceph"])
def endpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An S3 server, whose credentials are in the environment."""
    found: str = request.getfixturevalue(f"{request.param}_endpoint")
    no_file = tmp_path_factory.mktemp("aws") / "config"
    no_file.touch()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            # aiobotocore, which DVC uses, takes no device for a file of settings
            patch.setenv(name, str(no_file) if name.endswith("_FILE") else value)
        yield found


@pytest.fixture(scope="module")
def origin(
    project: Path, endpoint: str, run_in: RunIn, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The project as a repository whose artifacts were pushed, with a version of its bundles."""
    origin = tmp_path_factory.mktemp("remote") / "origin"
    shutil.copytree(project, origin)
    shutil.copy(ROOT / ".gitignore", origin)
    for command in (
        "git init --quiet",
        "dvc config --unset core.no_scm",
        f"dvc remote add --default storage s3://{BUCKET}/{uuid.uuid4().hex}",
        f"dvc remote modify storage endpointurl {endpoint}",
        "git add .",
        "git commit --quiet --message results",
        "git tag --annotate bundles@v1.0.0 --message first",
        "dvc push",
        "dvc push --run-cache",
    ):
        run_in(origin, *command.split())
    return origin


@pytest.fixture
def clone(origin: Path, run_in: RunIn, tmp_path: Path) -> Path:
    """A fresh clone with an empty cache."""
    run_in(tmp_path, "git", "clone", "--quiet", origin.as_uri(), "clone")
    assert contents(tmp_path / "clone") == {}
    return tmp_path / "clone"


def test_a_fresh_clone_pulls_and_runs_nothing(project: Path, clone: Path, run_in: RunIn):
    run_in(clone, "dvc", "pull")
    done = run_in(clone, "dvc", "repro")
    assert "Running stage" not in done.stdout
    assert "Data and pipelines are up to date." in done.stdout
    assert contents(clone) == contents(project)
    assert run_in(clone, "git", "status", "--porcelain").stdout == ""
    done = run_in(clone, "kdtasks", "run", "--no-prefect")
    assert re.search(r"^(\d+) stages in .*: \1 cached$", done.stdout, flags=re.MULTILINE)


@pytest.mark.parametrize("endpoint", ["moto"], indirect=True)
def test_a_run_pulls_what_was_run_elsewhere(project: Path, clone: Path, run_in: RunIn):
    """Even without `dvc.lock`: the run-cache knows what came of the same inputs."""
    lock = (clone / "dvc.lock").read_bytes()
    (clone / "dvc.lock").unlink()
    done = run_in(clone, "kdtasks", "run", "--pull", "--no-prefect")
    assert re.search(r"^(\d+) stages in .*: \1 pulled$", done.stdout, flags=re.MULTILINE)
    assert contents(clone) == contents(project)
    assert (clone / "dvc.lock").read_bytes() == lock


def test_bundles_are_had_without_the_project(
    project: Path, origin: Path, run_in: RunIn, tmp_path: Path
):
    url = origin.as_uri()
    run_in(tmp_path, "dvc", "get", url, "bundles/float32", "--out", "one")
    run_in(tmp_path, "dvc", "artifacts", "get", url, "bundles", "--rev", "v1.0.0", "--out", "all")
    for path in (project / "bundles").rglob("*.*"):
        inside = path.relative_to(project / "bundles")
        assert (tmp_path / "all" / inside).read_bytes() == path.read_bytes()
        if inside.parts[0] == "float32":
            assert (tmp_path / "one" / inside.name).read_bytes() == path.read_bytes()
