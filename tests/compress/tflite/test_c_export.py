"""`kdtasks export c`: what a compiler makes of it says what LiteRT says."""

import ctypes
import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kdtasks.cli import bundle as cli
from kdtasks.compress.tflite.arena import Arena, split_signatures
from kdtasks.compress.tflite.c_export import EXAMPLE, export_c, segments_header
from kdtasks.compress.tflite.c_header import exits_header
from kdtasks.compress.tflite.graph import Graph, Tensor, read_graphs
from kdtasks.core.errors import BundleError
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.scores import SCORES, softmax
from tests.compress.bundle.test_schema import MANIFEST
from tests.tools.pixel_bundles import write_pixel_bundle

STAND_IN = Path(__file__).parents[2] / "tools" / "tflite_micro_stand_in.h"
INCLUDED = (
    "micro/micro_interpreter.h",
    "micro/micro_mutable_op_resolver.h",
    "schema/schema_generated.h",
)
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-fPIC"]
STEPS = 2  # of the quantised logits that interpreters may differ by, as in test_arena.py


@pytest.fixture
def runtime():
    return pytest.importorskip("tflite_micro", reason="pip install tflite-micro").runtime


@pytest.fixture
def compile_example(tmp_path):
    """Give a function that compiles a C++ file and others without a warning, against a stand-in."""
    if not shutil.which("g++"):
        pytest.skip("there is no g++ here")
    for name in INCLUDED:
        header = tmp_path / "tensorflow" / "lite" / name
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text(f'#include "{STAND_IN}"\n', encoding="utf-8")

    def make(source, *words):
        options = [*WARNINGS, "-std=c++17", "-I.", str(source), *words, "-oit"]
        subprocess.run(["g++", *options], check=True, cwd=tmp_path)
        return str(tmp_path / "it")

    return make


@pytest.fixture
def library(exported_c, compile_example, tmp_path):
    """The exported files as one library."""
    sources = [str(path) for path in exported_c.glob("*.c")]
    subprocess.run(["gcc", *WARNINGS, "-c", *sources], check=True, cwd=tmp_path)
    objects = [path.name for path in tmp_path.glob("*.o")]
    return ctypes.CDLL(compile_example(exported_c / "example.cc", "-shared", *objects))


def arrays(library, parts):
    """The arrays in a compiled file."""
    return [
        (ctypes.c_ubyte * len(part)).in_dll(library, f"kdtasks_{name}")
        for name, part in parts.items()
    ]


def odds(probability):
    return probability / (1 - probability)


def connect(library, runtime, arrays):
    """Let the stand-in run TensorFlow Lite Micro's interpreter on the compiled arrays."""
    opened = {ctypes.addressof(one): runtime.Interpreter.from_bytes(bytes(one)) for one in arrays}
    counts = {
        address: [
            len(getattr(graph, kind))
            for graph in read_graphs(bytes(one))
            for kind in ("inputs", "outputs")
        ]
        for address, one in zip(opened, arrays, strict=True)
    }

    def described(details):
        return np.dtype(details["dtype"]), tuple(details["shape"])

    @ctypes.CFUNCTYPE(
        ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char, ctypes.c_size_t, ctypes.c_void_p
    )
    def answer(address, word, index, data):
        interpreter, (inputs, outputs) = opened[address], counts[address]
        match word:
            case b"i":
                return inputs
            case b"o":
                return outputs
            case b"r":
                interpreter.invoke()
            case b"g":
                values = interpreter.get_output(index)
                ctypes.memmove(data, values.tobytes(), values.nbytes)
            case b"O":
                dtype, shape = described(interpreter.get_output_details(index))
                return dtype.itemsize * int(np.prod(shape))
            case b"I" | b"s":
                dtype, shape = described(interpreter.get_input_details(index))
                size = dtype.itemsize * int(np.prod(shape))
                if word == b"I":
                    return size
                values = np.frombuffer(ctypes.string_at(data, size), dtype).reshape(shape)
                interpreter.set_input(values, index)
        return 0

    pointer = ctypes.c_void_p.in_dll(library, "tflite_micro_stand_in")
    pointer.value = ctypes.cast(answer, ctypes.c_void_p).value
    return answer  # whoever calls keeps it alive


def test_the_compiled_example_answers_as_litert(runtime, library, early_exits, trained):
    """Class, exit and score, as far as logits that are STEPS off can tell.

    They multiply the odds of the likeliest class by exp(2 · STEPS · scale / temperature) at most.
    """
    parts = split_signatures((early_exits / "model.tflite").read_bytes())
    compiled = arrays(library, parts)
    assert [bytes(one) for one in compiled] == list(parts.values())
    assert [ctypes.addressof(one) % 16 for one in compiled] == [0] * len(parts)
    kept = connect(library, runtime, compiled)
    model = Classifier.load(early_exits)
    limit = odds(model.thresholds[0])
    ranges = [
        2 * STEPS * spec.scale / temperature
        for spec, temperature in zip(
            model.segments.logits_specs, model.manifest.temperatures, strict=True
        )
    ]
    chosen, score, exits = ctypes.c_int(), ctypes.c_float(), []
    for image in trained.images[:25]:
        pixels = np.ascontiguousarray(image).ctypes.data_as(ctypes.c_void_p)
        leaves_at = library.kdtasks_answer(pixels, ctypes.byref(chosen), ctypes.byref(score))
        expected = model.predict(image)
        first = softmax(model.logits(image[None])[0, 0], model.manifest.temperatures[0]).max()
        if abs(np.log(odds(first) / limit)) <= ranges[0]:
            continue  # either exit is right
        assert leaves_at == expected.exit_index
        likeliest = np.sort(expected.probabilities)[-2:]
        if np.log(likeliest[1] / likeliest[0]) <= ranges[leaves_at]:
            continue  # so is either class
        assert chosen.value == expected.class_index
        off = np.log(odds(score.value) / odds(expected.confidence))
        assert abs(off) <= ranges[leaves_at] + 1e-3  # of float32, at odds of up to 10,000
        exits.append(leaves_at)
    del kept
    assert set(exits) == {0, 1}
    assert len(exits) > 12


def test_the_header_tells_what_the_segments_need(runtime, exported_c, early_exits):
    text = (exported_c / "exits.h").read_text(encoding="utf-8")
    assert re.findall(r"\(resolver\)\.(\w+)", text) == [
        "AddAveragePool2D",
        "AddConv2D",
        "AddFullyConnected",
        "AddMaxPool2D",
        "AddReshape",
    ]
    graphs = read_graphs((early_exits / "model.tflite").read_bytes())
    names = {operator.name for graph in graphs for operator in graph.operators}
    assert names == {"AVERAGE_POOL_2D", "CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "RESHAPE"}
    (kept,) = [
        graphs[0].tensors[number].bytes
        for name, number in graphs[0].outputs.items()
        if name != "logits"
    ]
    assert f"#define KDTASKS_FEATURE_BYTES {kept}\n" in text
    ((first, last),) = re.findall(r"kdtasks_arena_bytes\[2\] = \{(\d+), (\d+)\}", text)
    assert f"#define KDTASKS_ARENA_BYTES {max(int(first), int(last))} " in text


def test_a_folder_is_written_again_unless_it_holds_something_else(runtime, pixel_models, tmp_path):
    bundle = write_pixel_bundle(tmp_path / "float32", pixel_models[0])
    out = tmp_path / "c"
    for _ in range(2):
        paths = export_c(bundle, out)
    names = ["example.cc", "exits.h", "model_segment_0.c", "model_segments.h", "segment_0.tflite"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in out.iterdir()) == names
    text = (out / "exits.h").read_text(encoding="utf-8")
    assert '"dark", "bright"' in text
    assert "typedef float kdtasks_image_t;" in text
    (out / "notes.txt").touch()
    with pytest.raises(BundleError, match=r"c holds notes\.txt, which is not to be"):
        export_c(bundle, out)


def test_what_arenas_are_needed_for_is_left_out_where_they_cannot_be_measured(
    pixel_models, tmp_path, monkeypatch, capsys
):
    bundle, out = write_pixel_bundle(tmp_path / "float32", pixel_models[0]), tmp_path / "c"
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    cli.export_c(bundle, out)
    names = ["exits.h", "model_segment_0.c", "model_segments.h", "segment_0.tflite"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert "ARENA" not in (out / "exits.h").read_text(encoding="utf-8")
    assert "no example.cc and no arenas in exits.h: " in capsys.readouterr().out


PROGRAM = """
#include "example.cc"
#include <cstdio>
const unsigned char kdtasks_segment_0[1] = {0};
int main() {
  const kdtasks_logits_t logits[KDTASKS_CLASSES] = {-20, 70, 64};
  printf("%.6f", Score(logits, 0));
}
"""


@pytest.mark.parametrize("score", sorted(SCORES.keys() - {"max_probability"}))
def test_scores_in_c_are_those_of_python(score, compile_example, tmp_path):
    values = np.array([-20, 70, 64], np.int8)
    logits = Tensor("logits", (1, 3), "int8", 0.1, 3, 1, 3, None)
    image = Tensor("image", (1, 8, 8, 1), "int8", 1.0, -128, 1, 64, None)
    graph = Graph("segment_0", {"image": 0}, {"logits": 1}, (), (image, logits))
    manifest = dataclasses.replace(MANIFEST, score=score, class_names=("a", "b", "c"), segments=1)
    header = exits_header(manifest, [graph], {"segment_0": Arena(1, 1, 1, 1)})
    shutil.copy(EXAMPLE, tmp_path)
    (tmp_path / "exits.h").write_text(header, encoding="utf-8")
    (tmp_path / "model_segments.h").write_text(segments_header({"segment_0": b"x"}))
    (tmp_path / "it.cc").write_text(PROGRAM)
    told = subprocess.run([compile_example("it.cc")], check=True, capture_output=True).stdout
    expected = SCORES[score]((values.astype(np.float64) - 3) * 0.1, manifest.temperatures[0])
    assert float(told) == pytest.approx(float(expected), abs=2e-6)
