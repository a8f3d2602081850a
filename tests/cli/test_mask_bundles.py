"""`kdtasks bench`, `gate` and `drift` on a project of masks, as on one of classes."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from kdtasks.cli.bench import bench_bundle
from kdtasks.cli.gate import ProductionOptions, run_drift, run_gate
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import parse_address
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from kdtasks.edge.segmenter import Segmenter
from kdtasks.edge.telemetry import TelemetryCounter
from kdtasks.params import load_params
from tests.tools.mask_datasets import coloured, write_mask_dataset
from tests.tools.segmentation_bundles import write_colour_bundle

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
OPTIONS = ProductionOptions("store", "colours")


def ship(bundle: Path) -> None:
    """Put a bundle into production, in the store of the current folder."""
    objects = open_objects(parse_address("store"))
    objects.check_conditions()
    AliasMover(objects, "colours", "production").advance(
        publish(objects, bundle, name="colours").found
    )


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colour_models: tuple[bytes, bytes]
) -> Path:
    """A project with a model in production, and 300 test images in three colours."""
    monkeypatch.chdir(tmp_path)
    recipe = RECIPE.read_text(encoding="utf-8")
    timeless = recipe.replace("max_latency_growth: 0.25", "max_latency_growth: null")
    (tmp_path / "params.yaml").write_text(timeless, encoding="utf-8")
    (tmp_path / "dvc.yaml").touch()
    params = load_params(tmp_path / "params.yaml")
    write_mask_dataset(tmp_path / "data" / "prepared", params, [k % 3 for k in range(300)])
    ship(write_colour_bundle(tmp_path / "old", colour_models[0], temperatures=(50.0,)))
    monkeypatch.setenv("KDTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("kdtasks.cli.gate.configured_server", lambda project: None)
    return tmp_path


def test_a_bench_times_masks_of_images_of_any_size(project: Path, capsys):
    for name, size in (("a", (9, 7)), ("b", (30, 20))):
        PIL.Image.new("RGB", size, "red").save(project / f"{name}.png")
    bench_bundle(project / "old", ["a.png", "b.png"], rounds=3, threads=1, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["rounds"]) == (2, 3)
    assert found["exit_rate"] == [1.0]
    assert found["exit_ms"] == [found["latency_ms"]["mean"]] == [found["latency_ms"]["worst"]]


def test_the_gate_says_who_is_better(project: Path, colour_models: tuple[bytes, bytes], capsys):
    worse = write_colour_bundle(project / "worse", colour_models[1])
    assert run_gate(project, worse, OPTIONS) == 3
    assert "BROKEN: mean IoU differs by −" in capsys.readouterr().out
    ship(worse)
    better = write_colour_bundle(project / "better", colour_models[0])
    assert run_gate(project, better, OPTIONS) == 0
    assert "holds: mean IoU differs by +" in capsys.readouterr().out


def answer(project: Path, levels: list[int]) -> Path:
    """Write telemetry of 600 whole images, each of 2×2 tiles, in three colours."""
    model = Segmenter.load(project / "old")
    counter = TelemetryCounter(model.manifest)
    for row in range(600):
        image = coloured(row % 3, levels[row // 3 % len(levels)])
        counter.add(model.predict(np.tile(image, (2, 2, 1))))
    path = project / "telemetry.jsonl"
    path.write_text(counter.take().to_line(), encoding="utf-8")
    return path


def test_masks_of_usual_images_are_no_drift(project: Path, capsys):
    telemetry = answer(project, [20 + 10 * step for step in range(20)])
    assert run_drift(project, [telemetry], OPTIONS) == 0
    assert "no drift in 600 answers (exits 0.000, confidences" in capsys.readouterr().out


def test_masks_of_other_images_are(project: Path, capsys):
    telemetry = answer(project, [0, 1])
    assert run_drift(project, [telemetry], OPTIONS) == 3
    assert "version 1: confidences of 600 answers have drifted" in capsys.readouterr().out
