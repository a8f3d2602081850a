"""examples/c/early_exits.c on LiteRT's C API says what Classifier says."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kdtasks.compress.bundle.write import make_manifest, write_bundle
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.scores import max_probability
from kdtasks.edge.segments import Segments
from kdtasks.orchestrate.project.pack import pack_segments
from tests.compress.tflite.test_bundle import CALIBRATION
from tests.tools.datasets import describe_dataset
from tests.tools.records import parity

SOURCE = Path(__file__).parents[3] / "examples" / "c" / "early_exits.c"


@pytest.fixture
def bundle(int8_content, trained, tmp_path):
    """A bundle that sends some of 25 images to either exit."""
    first = Segments(int8_content).logits_of(trained.images[:25])[:, 0]
    low, high = np.sort(max_probability(first, 1.5))[[11, 12]]
    assert low < high
    exits = {"temperatures": (1.5, 0.8), "thresholds": (float(low + high) / 2,), "macs": (1, 2)}
    manifest = make_manifest(
        describe_dataset(
            tmp_path, class_names=tuple(f"digit {k}" for k in range(10)), image_shape=(8, 8, 1)
        ),
        CALIBRATION.model_copy(update=exits),
        name="digits",
        variant="int8",
        parity=parity((0.01, 0.0)),
        parameters={},
    )
    write_bundle(tmp_path / "bundle", int8_content, manifest)
    return tmp_path / "bundle"


@pytest.fixture
def program(bundle, tmp_path):
    package = importlib.util.find_spec("ai_edge_litert")
    assert package is not None
    library = Path(str(package.origin)).parent / "libLiteRt.so"
    if not shutil.which("gcc") or not library.is_file():
        pytest.skip("needs gcc, and a LiteRT that brings libLiteRt.so")
    pack_segments(bundle, tmp_path / "segments")
    words = ["-Wall", "-Werror", "-Wno-unused-const-variable", "-I", str(tmp_path / "segments")]
    linked = [str(library), f"-Wl,-rpath,{library.parent}", "-lm"]
    out = tmp_path / "early_exits"
    subprocess.run(["gcc", *words, str(SOURCE), *linked, "-o", str(out)], check=True)
    return out


def test_c_leaves_where_python_leaves(program, bundle, trained, tmp_path):
    model = Classifier.load(bundle)
    exits = set()
    for image in trained.images[:25]:
        expected = model.predict(image)
        np.ascontiguousarray(image).tofile(tmp_path / "image.raw")
        told = subprocess.run(
            [str(program), str(bundle / "model.tflite"), str(tmp_path / "image.raw")],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        label, exit_index, confidence = told.rsplit(" ", 2)
        assert (label, int(exit_index)) == (expected.label, expected.exit_index)
        assert float(confidence) == pytest.approx(expected.confidence, abs=1e-4)
        exits.add(expected.exit_index)
    assert exits == {0, 1}
