"""Time a SavedModel in ONNX Runtime, float and int8; run by `benchmarks.compression` with a Python
that has onnxruntime, tf2onnx and tensorflow, and with nothing of kdtasks.

    python benchmarks/onnx_peer.py SAVED_MODEL IMAGES.npy TURNS
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Print milliseconds of single images, by name, as the last line."""
    import onnxruntime

    folder, images, turns = Path(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3])
    images = images.astype(np.float32)[:, None]
    whole, rounded = folder / "float.onnx", folder / "int8.onnx"
    subprocess.run(
        [sys.executable, "-m", "tf2onnx.convert", "--saved-model", str(folder),
         "--output", str(whole), "--opset", "17"],
        check=True, capture_output=True,
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    first = onnxruntime.InferenceSession(str(whole), options)
    name = first.get_inputs()[0].name
    _quantise(whole, rounded, name, images)
    sessions = {
        "ONNX Runtime float32": first,
        "ONNX Runtime int8": onnxruntime.InferenceSession(str(rounded), options),
    }
    times: dict[str, list[float]] = {key: [] for key in sessions}
    for _ in range(turns):
        for key, session in sessions.items():
            session.run(None, {name: images[0]})
            for image in images:
                start = time.perf_counter_ns()
                session.run(None, {name: image})
                times[key].append((time.perf_counter_ns() - start) / 1e6)
    print(json.dumps(times))


def _quantise(whole: Path, rounded: Path, name: str, images: Any) -> None:
    """Static int8, one scale a filter, ranges from the same images."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self._rest = iter(images)

        def get_next(self) -> dict[str, Any] | None:
            image = next(self._rest, None)
            return None if image is None else {name: image}

    prepared = whole.with_name("prepared.onnx")
    quant_pre_process(str(whole), str(prepared))
    quantize_static(
        str(prepared), str(rounded), Images(), quant_format=QuantFormat.QDQ, per_channel=True
    )


if __name__ == "__main__":
    main()
