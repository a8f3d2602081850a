"""examples/c/early_exits.c on LiteRT's C API says what Classifier says."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kdtasks.edge.classifier import Classifier

SOURCE = Path(__file__).parents[3] / "examples" / "c" / "early_exits.c"


@pytest.fixture
def program(exported_c, tmp_path):
    package = importlib.util.find_spec("ai_edge_litert")
    assert package is not None
    library = Path(str(package.origin)).parent / "libLiteRt.so"
    if not shutil.which("gcc") or not library.is_file():
        pytest.skip("needs gcc, and a LiteRT that brings libLiteRt.so")
    words = ["-Wall", "-Werror", "-Wno-unused-const-variable", "-I", str(exported_c)]
    linked = [str(library), f"-Wl,-rpath,{library.parent}", "-lm"]
    out = tmp_path / "early_exits"
    subprocess.run(["gcc", *words, str(SOURCE), *linked, "-o", str(out)], check=True)
    return out


def test_c_leaves_where_python_leaves(program, early_exits, trained, tmp_path):
    model = Classifier.load(early_exits)
    exits = set()
    for image in trained.images[:25]:
        expected = model.predict(image)
        np.ascontiguousarray(image).tofile(tmp_path / "image.raw")
        told = subprocess.run(
            [str(program), str(early_exits / "model.tflite"), str(tmp_path / "image.raw")],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        label, exit_index, confidence = told.rsplit(" ", 2)
        assert (label, int(exit_index)) == (expected.label, expected.exit_index)
        assert float(confidence) == pytest.approx(expected.confidence, abs=1e-4)
        exits.add(expected.exit_index)
    assert exits == {0, 1}
