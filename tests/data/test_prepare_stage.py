import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.tools.complete_params import write_params

ROOT = Path(__file__).parents[2]
HEAVY = {"tensorflow", "tf_keras", "mlxtend", "pandas", "matplotlib", "sklearn"}
RUN = f"""
import runpy, sys
sys.path.insert(0, {str(ROOT)!r})
runpy.run_path({str(ROOT / "stages" / "prepare.py")!r}, run_name="__main__")
heavy = {HEAVY} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_params(tmp_path)
    for folder in ("data/raw", "data/raw-unlabelled"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def run(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", RUN], cwd=project, capture_output=True, text=True)


def test_the_default_recipe_is_prepared_without_heavy_imports(project: Path) -> None:
    result = run(project)
    assert result.returncode == 0, result.stderr
    assert "mnist-5k: 5000 images of 28×28×1, 10 classes" in result.stdout
    assert "train: 3000 (by class 300 to 300)" in result.stdout
    content = json.loads((project / "data" / "prepared" / "dataset.json").read_text())
    assert content["counts"]["calibration"]["total"] == 750


def test_an_error_is_one_message_without_a_traceback(project: Path) -> None:
    params = project / "params.yaml"
    text = params.read_text()
    assert "max_images: null" in text
    params.write_text(text.replace("max_images: null", "max_images: 7"))
    result = run(project)
    assert result.returncode == 1
    assert result.stderr.startswith("error: data.max_images is 7, at least 40 are needed")
    assert "Traceback" not in result.stderr
    assert not (project / "data" / "prepared").exists()


def test_what_a_folder_was_taken_for_and_what_looks_like_bursts_is_said(
    project: Path, photos: Callable[..., Path]
) -> None:
    names = [
        f"{'ab'[scene % 2]}/scene{scene:02}_{shot}.png" for scene in range(20) for shot in "12"
    ]
    photos(*(f"train/{name}" for name in names), *(f"test/{name}" for name in names[:8]))
    yaml, path = YAML(), project / "params.yaml"
    params = yaml.load(path)
    params["data"] |= {"source": {"name": "image_folder"}, "path": "photos", "image_size": [8, 8]}
    yaml.dump(params, path)
    result = run(project)
    assert result.returncode == 0, result.stderr
    assert "warning: names look as if several images were of one scene" in result.stdout
    assert "layout: folders of splits, and in each one folder a class; test kept" in result.stdout
    record = json.loads((project / "data" / "prepared" / "dataset.json").read_text())
    assert record["notes"][0].startswith("layout: folders of splits")
    assert record["warnings"][0].endswith("group_by: 'scene\\d+'")
