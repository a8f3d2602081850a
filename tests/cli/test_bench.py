import json

import numpy as np
import pytest

from kdtasks.cli.bench import bench_bundle
from kdtasks.cli.images import read_fitted
from kdtasks.cli.inspect import inspect_bundle
from kdtasks.cli.targets import print_target
from kdtasks.compress.bundle.write import make_self_test, write_bundle
from kdtasks.core.accelerators import Fallback, TargetFit, TargetSegment
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.segments import Segments
from tests.tools.pixel_bundles import write_pixel_bundle

IMAGES = np.array([[[200], [40]], [[40], [200]]], np.uint8)[:, None]


@pytest.fixture
def bundle(tmp_path, pixel_models):
    plain = write_pixel_bundle(tmp_path / "plain", pixel_models[0])
    test = make_self_test(
        Segments(pixel_models[0]),
        IMAGES,
        read_manifest(plain),
        count=2,
    )
    write_bundle(tmp_path / "bundle", pixel_models[0], read_manifest(plain), test)
    return tmp_path / "bundle"


def test_figures_are_of_the_images_of_the_self_test(bundle, capsys):
    bench_bundle(bundle, rounds=30, threads=1, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["rounds"], found["threads"]) == (2, 30, 1)
    latency = found["latency_ms"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"]
    assert found["images_per_second"] == pytest.approx(1000 / latency["mean"])
    assert found["exit_rate"] == [1.0]
    assert found["exit_ms"] == [latency["mean"]] == [latency["worst"]]  # one exit
    assert found["peak_memory_mb"] > 1


def test_the_table_says_whose_images_were_timed(bundle, tmp_path, capsys):
    bench_bundle(bundle, rounds=5, threads=1)
    output = capsys.readouterr().out
    assert "2 images of the self-test, each the median of 5 rounds, threads: 1" in output
    assert "chosen so that every exit has some" in output
    for row in ("mean latency", "median latency", "whole-network latency", "leave at exit 1"):
        assert row in output
    np.save(tmp_path / "one.npy", IMAGES[0])
    bench_bundle(bundle, [str(tmp_path / "one.npy")], rounds=5, threads=1)
    output = capsys.readouterr().out
    assert "1 images given, each" in output
    assert "chosen so" not in output


def test_of_many_images_some_of_every_folder_are_timed(bundle, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kdtasks.cli.bench.MOST_IMAGES", 4)
    for number in range(10):
        np.save(tmp_path / f"{number}.npy", IMAGES[0])
    read = []

    def read_one(path, model):
        read.append(path.stem)
        return read_fitted(path, model)

    monkeypatch.setattr("kdtasks.cli.bench.read_fitted", read_one)
    bench_bundle(bundle, [str(tmp_path)], rounds=5, threads=1)
    assert "4 of 10 images given, each" in capsys.readouterr().out
    assert read == ["0", "3", "6", "9"]


def test_without_images_nothing_is_timed(bundle, tmp_path):
    with pytest.raises(BundleError, match="has no self-test whose images could be timed; give"):
        bench_bundle(bundle / "model.tflite", rounds=5, threads=1)
    with pytest.raises(DatasetError, match=r"none\.npy: not found"):
        bench_bundle(bundle, [str(tmp_path / "none.npy")], rounds=5, threads=1)
    (tmp_path / "bad.npy").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"bad\.npy"):
        bench_bundle(bundle, [str(tmp_path / "bad.npy")], rounds=5, threads=1)


def test_inspect_shows_all_sections(bundle, capsys):
    inspect_bundle(bundle)
    output = capsys.readouterr().out
    for line in (
        "name            pixels",
        "variant         float32",
        "input           dtype uint8, range 0, 255, shape 1, 2, 1",
        "class names     dark, bright",
        "self test       ",
        "images 2",
        "segment_0: 4 MACs,",
    ):
        assert line in output
    (dense,) = (line for line in output.splitlines() if "FULLY_CONNECTED" in line)
    assert dense.split()[:5] == ["FULLY_CONNECTED", "float32", "[1,", "2]", "4"]


def test_inspect_tells_what_an_accelerator_takes(bundle, capsys):
    inspect_bundle(bundle, target="edgetpu")
    output = capsys.readouterr().out
    assert "edgetpu: Axis's copy of Coral's table (developer.axis.com, ARTPEC-7" in output
    assert output.count("float32, where int8 or uint8 is taken") >= 1
    inspect_bundle(bundle, target="nnapi")
    assert "nothing falls back to the processor" in capsys.readouterr().out
    inspect_bundle(bundle, target="edgetpu", as_json=True)
    judged = json.loads(capsys.readouterr().out)["target"]
    segment = judged["segments"]["segment_0"]
    assert (judged["name"], segment["accelerated"]) == ("edgetpu", 0)
    assert {one["operator"] for one in segment["fallbacks"]} >= {"FULLY_CONNECTED"}
    assert segment["left"] == len(segment["fallbacks"])


def test_an_estimate_of_vela_is_a_table(capsys):
    system = "Deep, 500 MHz"
    taken = TargetSegment(3, 0, (), 3976, 0.007952, 2576, 1776, 0, system)
    left = TargetSegment(0, 1, (Fallback("ELU", "y", "no such operator"),), system=system)
    segments = {"segment_0": taken, "segment_1": left}
    print_target("ethos-u55-128", TargetFit("Vela's estimate", segments))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["segment_0", "3,976", "0.007952", "2,576", "1,776", "0", "3", "0"] in lines
    assert ["segment_1", "–", "–", "–", "–", "–", "0", "1"] in lines
    assert ["segment_1", "ELU", "y", "no", "such", "operator"] in lines


def test_inspect_gives_json(bundle, capsys):
    inspect_bundle(bundle / "model.tflite", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["manifest"]["class_names"] == ["dark", "bright"]
    (signature,) = found["signatures"]
    assert signature["macs"] == 4
    assert found["target"] is None
    assert {operator["name"] for operator in signature["operators"]} >= {"FULLY_CONNECTED"}
    assert found["weight_bytes"] == signature["weight_bytes"] >= 16
