"""Training in bfloat16 against float32: images a second of one thread, network by network.

    python -m benchmarks.precision [--turns 3]

Every measurement is a process of its own, since the processor's instructions are chosen once a
process. The two take turns; the ratio is taken turn by turn and its median reported: above 1,
bfloat16 is faster. Images are random and there is no teacher.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any

# Name to params of the network, side of the images, images an epoch, images a step.
NETWORKS: dict[str, tuple[dict[str, Any], int, int, int]] = {
    "ResNet-8": ({"name": "resnet8"}, 32, 6400, 128),
    "AlexNet": ({"name": "alexnet"}, 32, 6400, 128),
    "CNN 16-32-64": ({"name": "cnn", "filters": [16, 32, 64]}, 32, 12800, 128),
    "U-Net 16-32-64-128-256": ({"name": "unet", "filters": [16, 32, 64, 128, 256]}, 128, 160, 16),
    "U-Net 4-8-16-32-64": ({"name": "unet", "filters": [4, 8, 16, 32, 64]}, 128, 480, 16),
}
_EPOCHS = 2  # the first one compiles


def main() -> None:
    """Print a table, and as the last line one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=3, help="how often everything is measured")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(measure(*options.measure))
        return
    figures = {}
    for name in NETWORKS:
        rates: dict[str, list[float]] = {"float32": [], "bfloat16": []}
        for _ in range(options.turns):
            for precision, measured in rates.items():
                words = (sys.executable, "-m", "benchmarks.precision", "--measure", name, precision)
                done = subprocess.run(words, check=True, capture_output=True, text=True)
                measured.append(float(done.stdout.splitlines()[-1]))
        ratios = [
            fast / slow for fast, slow in zip(rates["bfloat16"], rates["float32"], strict=True)
        ]
        figures[name] = {
            "ratio": round(statistics.median(ratios), 2),
            "ratios": [round(ratio, 2) for ratio in ratios],
            "images_per_second": {
                precision: round(statistics.median(measured))
                for precision, measured in rates.items()
            },
        }
        print(f"{name:>24} {figures[name]['ratio']:>6}  {figures[name]['images_per_second']}")
    print(json.dumps(figures))


def measure(name: str, precision: str) -> float:
    """Images a second of the epochs after the first."""
    from kdtasks.core.reproducibility import pin_process

    pin_process(1, precision=precision)
    import numpy as np

    from kdtasks.learn.networks import architectures
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.objectives.objective import LabelObjective
    from kdtasks.learn.training import loop
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.settings import TrainParams

    section, side, count, batch_size = NETWORKS[name]
    network = build(
        architectures[section["name"]].model_validate(section),
        input_shape=(side, side, 3),
        num_classes=10,
    )
    draw = np.random.default_rng(0)
    is_dense = section["name"] == "unet"
    shape = (1, count, side, side) if is_dense else (1, count)
    examples = TrainingExamples(
        images=draw.integers(0, 256, (1, count, side, side, 3), dtype=np.uint8),
        labels=draw.integers(0, 10, shape).astype(np.int32),
        teacher_logits=None,
    )
    ends: list[float] = []

    def validate(*_: object, **__: object) -> tuple[dict[str, float], np.ndarray]:
        ends.append(time.perf_counter())
        return {"validation_loss": 0.0, "validation_accuracy": 0.0}, np.zeros(1, np.int64)

    loop._validate = validate  # it would be timed too
    loop.train(
        network,
        examples,
        validation=(examples.images[0, :1], examples.labels[0, :1]),
        objective=LabelObjective(),
        schedule=loop.TrainingSchedule(
            TrainParams(batch_size=batch_size, memory_limit_mb=4000, guard_epochs=_EPOCHS + 1),
            epochs=_EPOCHS,
            learning_rate=1e-3,
            seed=0,
            precision=precision,  # type: ignore[arg-type]
        ),
    )
    return count * (_EPOCHS - 1) / (ends[-1] - ends[0])


if __name__ == "__main__":
    main()
