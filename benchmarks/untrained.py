"""What networks cost before anybody trains them: int8 files in turn with MLPerf Tiny's ResNet-8.

    python -m benchmarks.untrained --published FOLDER [--rounds 60]

FOLDER holds `pretrainedResnet_quant.tflite` of mlcommons/tiny. All files answer the same images of
noise, one thread, in turn: what else the machine does slows all of them, and ratios stay. The last
line is JSON.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mlperf_tiny import PUBLISHED, plain
from kdtasks.core.processor import read_processor
from kdtasks.core.reproducibility import generator, pin_process
from kdtasks.edge.latency import time_predictions

SIZE = (32, 32, 3)
_TWO_PATHS = {"coarse": [72] * 3, "fine": [48] * 6, "merged": [72]}
_HALVED = {"stem": 32, "stem_strides": 2}
_CHAIN = {"filters": [64] * 5 + [96] * 5, "strides": [1] * 5 + [2] + [1] * 4, "expansion": 1}
_DENSE = {"filters": [32] * 2 + [128] * 4, "strides": [1, 1, 2, 1, 1, 1], "expansion": 1}
NETWORKS: dict[str, dict[str, Any]] = {
    "ResNet-8": {"name": "resnet8"},
    "its stem and first block": {"name": "resnet", "filters": [16], "strides": [1]},
    "the same, stem halves": {"name": "resnet", "filters": [16], "strides": [1], "stem_strides": 2},
    "ResNet, stem halves": {"name": "resnet", **_HALVED, "filters": [32, 48], "strides": [1, 2]},
    "two paths, 5×5": {"name": "two_branch", "trunk": [48, 48], **_TWO_PATHS},
    "two paths, 3×3": {"name": "two_branch", "trunk": [48, 48], **_TWO_PATHS, "kernel_size": 3},
    "chain, stem halves": {"name": "mobilenet", **_HALVED, **_CHAIN},
    "chain, dense first": {"name": "mobilenet", **_HALVED, **_DENSE, "dense": 32},
}


def main() -> None:
    """Print bytes, MACs and times, those as multiples of the published file's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--published", type=Path, required=True, help="folder of published files")
    parser.add_argument("--rounds", type=int, default=60, help="how often each image is timed")
    options = parser.parse_args()
    pin_process(1)
    from kdtasks.compress.convert import convert
    from kdtasks.learn.networks import architectures
    from kdtasks.learn.networks.build import build

    images = generator("noise images").integers(0, 256, (8, *SIZE), "uint8")
    content = (options.published / PUBLISHED["published ResNet-8"]).read_bytes()
    published: dict[str, Any] = {"bytes": len(content), "macs": None}
    found: dict[str, dict[str, Any]] = {"published ResNet-8": published}
    runs = [plain(content)]
    for name, section in NETWORKS.items():
        architecture = architectures[section["name"]].model_validate(section)
        network = build(architecture, input_shape=SIZE, num_classes=10)
        content = convert(network, number_format="int8", representative=images)
        runs.append(plain(content))
        found[name] = {"bytes": len(content), "macs": network.macs()[-1]}
    predicts = [partial(_answer, run) for run in runs]
    times, _ = time_predictions(predicts, images, rounds=options.rounds, warmup=20)
    for name, milliseconds in zip(found, times.mean(axis=1).tolist(), strict=True):
        found[name] |= {"milliseconds": milliseconds, "times": milliseconds / times[0].mean()}
        print(
            f"{name:>26} {found[name]['bytes']:>7,} {milliseconds:.3f} {found[name]['times']:.2f}"
        )
    print(json.dumps({"cpu": read_processor().name, "networks": found}))


def _answer(run: Callable[[np.ndarray], Any], image: np.ndarray) -> int:
    return int(run(image).argmax())


if __name__ == "__main__":
    main()
