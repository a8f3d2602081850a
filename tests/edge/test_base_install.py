"""What `pip install .` without extras brings to a device, in a virtual environment of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kdtasks.compress.bundle.write import make_self_test, write_bundle
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.segments import Segments
from tests.tools.pixel_bundles import write_pixel_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
NOT_THERE = {
    "tensorflow",
    "tf-keras",
    "dvc",
    "prefect",
    "pandas",
    "scikit-learn",
    "scipy",
}
MOST_RESIDENT = 60_000_000

MEASURE = """
import json, re, sys, time
start = time.perf_counter()
from ai_edge_litert.interpreter import Interpreter
litert = time.perf_counter()
before = set(sys.modules)
from kdtasks.edge import Classifier
edge = time.perf_counter()
model = Classifier.load(sys.argv[1])
images = model.self_test()
status = open("/proc/self/status").read() if sys.platform == "linux" else "VmHWM: 0 kB"
print(json.dumps({
    "litert_seconds": litert - start,
    "edge_seconds": edge - litert,
    "resident": int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024,
    "modules": sorted({name.partition(".")[0] for name in set(sys.modules) - before}
                      - set(sys.stdlib_module_names)),
    "images": images,
}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment with kdtasks alone."""
    folder = tmp_path_factory.mktemp("base")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, source)
    for name in ("kdtasks", "docs", "examples", "extensions", "flows", "recipes", "stages"):
        shutil.copytree(ROOT / name, source / name, ignore=lambda *_: ["__pycache__"])
    venv = folder / "venv"  # without a pip of its own, which takes seconds to install
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    programs = venv / ("Scripts" if os.name == "nt" else "bin")
    installed = subprocess.run(
        [*pip(programs), "install", "-q", "--no-compile", "-c", "constraints.txt", "."],
        cwd=source,
        env=outside(),
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0:
        reason = installed.stderr
        if "No matching distribution" in reason or "Could not find a version" in reason:
            pytest.skip(f"packages cannot be had here: {reason.strip().splitlines()[-1]}")
        pytest.fail(reason)
    return programs


def pip(environment: Path) -> list[str]:
    """The words of a command that works on the environment with the pip of these tests."""
    return [sys.executable, "-m", "pip", "--python", str(environment / "python")]


def outside() -> dict[str, str]:
    """This process's environment without paths to other installations."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    return {key: value for key, value in os.environ.items() if key not in hidden}


def run(environment: Path, *words: str) -> str:
    ended = subprocess.run(
        [str(environment / words[0]), *words[1:]],
        cwd=environment,
        env=outside(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, pixel_models: tuple[bytes, bytes]) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    plain = write_pixel_bundle(folder / "plain", pixel_models[0])
    test = make_self_test(
        Segments(pixel_models[0]),
        np.array([[[[200], [40]]]], np.uint8),
        read_manifest(plain),
        count=1,
    )
    write_bundle(folder / "it", pixel_models[0], read_manifest(plain), test)
    return folder / "it"


def test_nothing_heavy_is_installed(environment: Path):
    listed = json.loads(run(environment, *pip(environment), "list", "--format", "json"))
    names = {package["name"].lower().replace("_", "-") for package in listed}
    assert {"numpy", "ai-edge-litert", "typer", "pillow", "kdtasks"} <= names
    assert not names & NOT_THERE


def test_a_device_process_is_small(environment: Path, bundle: Path):
    """Seconds are shown, not judged: docs/bundles.md has them."""
    for _ in ("compiled", "measured"):  # the install left byte code to the first import
        found = json.loads(run(environment, "python", "-c", MEASURE, str(bundle)))
    print(found)
    assert found["images"] == 1
    assert set(found["modules"]) <= {"kdtasks", "numpy"}
    assert found["resident"] < MOST_RESIDENT


def test_the_commands_of_a_device_work(environment: Path, bundle: Path, tmp_path: Path):
    image = tmp_path / "image.npy"
    np.save(image, np.array([[[200], [40]]], np.uint8))
    packed = tmp_path / "it.kdz"
    assert str(packed) in run(environment, "kdtasks", "pack", str(bundle), "--out", str(packed))
    answers = json.loads(run(environment, "kdtasks", "predict", str(packed), str(image), "--json"))
    assert answers[0]["label"] == "bright"
    assert "whole-network latency" in run(
        environment, "kdtasks", "bench", str(packed), "--rounds", "5"
    )
    assert "segment_0: 4 MACs" in run(environment, "kdtasks", "inspect", str(packed))
    store = tmp_path / "store"
    options = ("--store", str(store), "--name", "pixels")
    assert "published pixels version 1" in run(
        environment, "kdtasks", "publish", str(packed), *options
    )
