from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import ParamsError, StoreError
from kdtasks.deploy.store.address import BucketAddress
from kdtasks.orchestrate.project.project import find_address, versions_kept
from tests.tools.complete_params import complete_params

RECIPE = Path(__file__).parents[3] / "recipes" / "mnist-5k.yaml"
NO_ADDRESS, KEEP = "  address: null\n", "  keep: 10\n"


@pytest.fixture
def project_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Path]:
    """Give a function that makes a project whose params name a store, and goes into it."""

    def make(address: str, keep: int = 3) -> Path:
        changed = complete_params()
        given = {NO_ADDRESS: f"  address: {address}\n", KEEP: f"  keep: {keep}\n"}
        for before, after in given.items():
            assert changed.count(before) == 1
            changed = changed.replace(before, after)
        (tmp_path / "dvc.yaml").touch()
        (tmp_path / "params.yaml").write_text(changed, encoding="utf-8")
        (tmp_path / "inside").mkdir()
        monkeypatch.chdir(tmp_path / "inside")
        return tmp_path

    return make


Project = Callable[..., Path]


def test_an_option_goes_before_the_params(project_with: Project):
    project_with("s3://bucket/models")
    assert find_address("/other") == Path("/other")
    assert find_address(None) == BucketAddress("bucket", "models/")
    assert (versions_kept(7), versions_kept(None)) == (7, 3)


def test_a_relative_folder_is_seen_from_the_project(project_with: Project):
    project = project_with("shared/models")
    assert find_address(None) == project / "shared" / "models"


def test_a_project_without_a_store(project_with: Project):
    project_with("null")
    with pytest.raises(StoreError, match="no store is named"):
        find_address(None)


def test_outside_of_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"or set store\.address in params\.yaml"):
        find_address(None)
    assert versions_kept(None) == 10


def test_a_project_without_params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="no store is named"):
        find_address(None)


def test_params_that_are_not_valid_are_named(project_with: Project):
    project_with("null", keep=0)
    with pytest.raises(ParamsError, match=r"store\.keep"):
        versions_kept(None)
