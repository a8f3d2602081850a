"""Time of one image through every variant of a project, against other ways to run the student.

Needs a project that `dvc repro` has finished. Everything takes turns in one run, on one thread:

    python -m benchmarks.compression [PROJECT] [--onnx build/onnx/bin/python] [--quick]

Rows: every variant's file in LiteRT, always to the last exit; a single teacher that was trained
here, converted to float32; the student that variants were made of as one `tf.function`; and in ONNX
Runtime, float and int8, where `--onnx` names a Python that has it. That one needs an environment of
its own, since nothing else here needs these packages:

    python -m venv build/onnx && build/onnx/bin/pip install onnxruntime tf2onnx tensorflow tf-keras

The share of the peak is multiply-accumulates a second against those of a large convolution in
LiteRT, float32 or int8, in the same run on the same thread.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_PEAK_SIDE, _PEAK_CHANNELS, _PEAK_LAYERS = 16, 256, 4
_INT8 = ("int8", "dynamic_int8")


def main() -> None:
    """Print a table, and as the last line one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", nargs="?", default=".", type=Path)
    parser.add_argument("--onnx", help="a Python with onnxruntime and tf2onnx")
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    options = parser.parse_args()
    turns, runs = (5, 20) if options.quick else (20, 100)
    os.environ["OMP_NUM_THREADS"] = "1"

    from kdtasks.compress.convert import convert
    from kdtasks.core.files import read_json
    from kdtasks.edge.segments import Segments
    from kdtasks.learn.networks.saved import load_model

    files = sorted((options.project / "models/compress").glob("*/model.tflite"))
    metrics = {
        path.parent.name: read_json(options.project / f"metrics/compress/{path.parent.name}.json")
        for path in files
    }
    seed = next(iter(metrics.values()))["base_seed"]
    student = load_model(options.project / f"models/distill/{seed}")
    images = np.load(options.project / "data/prepared/validation_images.npy")[:runs]
    calls: dict[str, Callable[[np.ndarray], object]] = {
        f"LiteRT {path.parent.name}": Segments(path).logits for path in files
    }
    macs_of = {name: found["macs"][-1] for name, found in metrics.items()}
    sizes = {f"LiteRT {path.parent.name}": _sizes(path.read_bytes()) for path in files}
    if (options.project / "models/teacher/model.json").is_file():
        teacher = load_model(options.project / "models/teacher")
        content = convert(teacher, number_format="float32", representative=images[:1])
        calls["LiteRT teacher"] = Segments(content).logits
        macs_of["teacher"] = teacher.macs()[-1]
        sizes["LiteRT teacher"] = _sizes(content)
    calls["tf.function"] = _tf_function(student)
    peaks = {f"peak {kind}": _peak(kind) for kind in ("float32", "int8")}
    every = calls | {name: call for name, (call, _) in peaks.items()}
    times: dict[str, list[float]] = {name: [] for name in every}
    for _ in range(turns):
        for name, call in every.items():
            times[name].extend(_milliseconds(call, images if name in calls else [None] * 5))
    medians = {name: statistics.median(values) for name, values in times.items()}
    peak = {name: macs / medians[name] / 1e6 for name, (_, macs) in peaks.items()}
    rows: dict[str, dict[str, Any]] = {}
    for name in calls:
        variant = name.removeprefix("LiteRT ")
        macs = macs_of.get(variant, student.macs()[-1])
        kind = "int8" if variant.split("+")[-1] in _INT8 else "float32"
        rate = macs / medians[name] / 1e6
        rows[name] = {
            "p50_ms": medians[name],
            "p99_ms": float(np.percentile(times[name], 99)),
            "gmacs": rate,
            "share_of_peak": rate / peak[f"peak {kind}"],
            **sizes.get(name, {}),
        }
    if options.onnx:
        for name, values in _onnx(options.onnx, student, images, turns).items():
            rows[name] = {
                "p50_ms": statistics.median(values),
                "p99_ms": float(np.percentile(values, 99)),
            }
    base = rows.get("LiteRT float32", rows["tf.function"])["p50_ms"]
    print(f"{'':>32} {'median':>10} {'p99':>10} {'speed-up':>9} {'of peak':>8}")
    for name, row in rows.items():
        row["speed_up"] = base / row["p50_ms"]
        share = f"{row['share_of_peak']:8.1%}" if "share_of_peak" in row else f"{'–':>8}"
        print(
            f"{name:>32} {row['p50_ms']:>7.4f} ms {row['p99_ms']:>7.4f} ms "
            f"{row['speed_up']:>9.2f} {share}"
        )
    print(", ".join(f"{name} {value:.1f} GMAC/s" for name, value in peak.items()))
    if not options.onnx:
        print("ONNX Runtime was not measured: --onnx names no Python that has it")
    print(json.dumps({"rows": rows, "peak_gmacs": peak, "turns": turns, "images": len(images)}))


def _sizes(content: bytes) -> dict[str, int]:
    return {"bytes": len(content), "gzip_bytes": len(gzip.compress(content, 9, mtime=0))}


def _milliseconds(call: Callable[[Any], object], images: Any) -> list[float]:
    """Times of single images, after one that is not counted."""
    call(images[0])
    times = []
    for image in images:
        start = time.perf_counter_ns()
        call(image)
        times.append((time.perf_counter_ns() - start) / 1e6)
    return times


def _tf_function(student: Any) -> Callable[[np.ndarray], object]:
    from kdtasks.core.backend import tf

    run = tf.function(
        lambda image: student.logits(tf.cast(image, tf.float32)),
        input_signature=[tf.TensorSpec((1, *student.input_shape), tf.uint8)],
    )
    return lambda image: [logits.numpy() for logits in run(image[None])]


def _peak(number_format: str) -> tuple[Callable[[Any], object], int]:
    """A chain of large 1×1 convolutions in LiteRT, and its multiply-accumulates."""
    from kdtasks.compress.convert import convert
    from kdtasks.core.backend import keras
    from kdtasks.edge.segments import Segments
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    image = tensor = keras.Input((_PEAK_SIDE, _PEAK_SIDE, _PEAK_CHANNELS), name="image")
    for _ in range(_PEAK_LAYERS):
        tensor = keras.layers.Conv2D(_PEAK_CHANNELS, 1, activation="relu")(tensor)
    model = MultiExitModel(keras.Model(image, tensor))
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (4, *model.input_shape), np.uint8)
    segments = Segments(convert(model, number_format=number_format, representative=images))
    return lambda _: segments.logits(images[0]), model.macs()[-1]


def _onnx(python: str, student: Any, images: np.ndarray, turns: int) -> dict[str, list[float]]:
    """Let another Python convert, round and time the student."""
    from kdtasks.core.backend import tf

    @tf.function(input_signature=[tf.TensorSpec((1, *student.input_shape), tf.float32)])
    def serve(image: Any) -> dict[str, Any]:
        exits = student.logits(image)
        return {f"logits_{index}": logits for index, logits in enumerate(exits)}

    with tempfile.TemporaryDirectory() as name:
        module = tf.Module()
        module.network = student.network  # owns the variables
        tf.saved_model.save(module, name, signatures=serve)
        np.save(f"{name}/images.npy", images)
        peer = Path(__file__).with_name("onnx_peer.py")
        done = subprocess.run(
            [python, str(peer), name, f"{name}/images.npy", str(turns)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": ""},
        )
    times: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return times


if __name__ == "__main__":
    main()
