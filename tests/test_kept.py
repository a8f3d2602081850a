"""Bundles, stores, params and projects of earlier versions open (`tests/kept/keep.sh`)."""

import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from kdtasks.core.installed import refuse_other_code
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import parse_reference
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.pull import Puller
from kdtasks.deploy.store.signing import load_public_keys
from kdtasks.edge.registry import load_predictor
from kdtasks.orchestrate.project.template import upgrade
from kdtasks.params import load_params

VERSIONS = sorted(path for path in (Path(__file__).parent / "kept").iterdir() if path.is_dir())


def changed(written: Any, read: Any, path: str = "") -> list[str]:
    """Keys whose value is another than the one that was written."""
    if isinstance(written, dict) and isinstance(read, dict):
        return [
            place
            for key, value in written.items()
            for place in changed(value, read.get(key), f"{path}.{key}")
        ]
    return [] if written == read else [path]


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what a version wrote."""
    folder: Path = shutil.copytree(request.param, tmp_path / "kept")
    return folder


def test_a_signed_version_is_pulled_and_answers_as_it_did(kept: Path, tmp_path: Path):
    trusted = load_public_keys(str(kept / "public.pem"))
    puller = Puller(
        objects=open_objects(kept / "store"), cache=Cache(tmp_path / "cache"), trusted=trusted
    )
    pulled = puller.pull(parse_reference("classes@production"))
    predictor = load_predictor(pulled.folder)
    assert predictor.self_test() > 0
    assert predictor.test_images is not None
    assert len(predictor.logits(predictor.test_images)) == len(predictor.test_images)


def test_a_packed_bundle_of_masks_answers_as_it_did(kept: Path):
    predictor = load_predictor(kept / "masks.kdz")
    assert predictor.self_test() > 0
    assert predictor.test_images is not None
    assert np.ndim(predictor.logits(predictor.test_images[:1])) == 4


def test_params_keep_their_values(kept: Path):
    params = load_params(kept / "params.yaml").model_dump(mode="json")
    written = YAML(typ="safe", pure=True).load(kept / "params.yaml")
    assert changed(written, params) == []


def test_a_project_is_upgraded_and_says_what_runs_again(kept: Path, tmp_path: Path):
    project = tmp_path / "project"
    with tarfile.open(kept / "project.tar.gz") as archive:
        archive.extractall(project, filter="data")
    before = load_params(project / "params.yaml").data
    done = upgrade(project)
    refuse_other_code(project)
    assert done.kept == []  # nobody has edited its files
    assert load_params(project / "params.yaml").data == before
