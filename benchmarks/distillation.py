"""Images a second, and the time to a distilled student, against Distillers that ask every step.

The pair is that of `cifar10-keras`: a teacher of convolutions 256–256–512 and a student of 32–32.
In every round each way trains the student in turn: cached targets and an online teacher here,
`keras.distillation.Distiller` of Keras 3 and a plain `train_step` Distiller in tf_keras there, and
without a teacher the loop here and `fit` there. A first epoch, in which all is compiled, does not
count. Images are random, since no way's speed depends on what they show, and are not augmented,
since the peers augment nothing. Ratios are taken round by round; their medians are reported.

`--precision bfloat16` gives every way these numbers: here by `runtime.precision`, there by Keras's
own policy `mixed_bfloat16`, and `fit` once more as `fit_onednn`, float32 code whose graph
TensorFlow rewrites, as it does here.

The time to the end is arithmetic: 50,000 images, 20 epochs, at the speeds that were measured, and
for cached targets one teacher pass over every view.

    python -m benchmarks.distillation [--quick] [--threads 1] [--precision float32] [--out FILE]
"""

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

from benchmarks.distillation_ways import EPOCHS, IMAGES, Speed, make_ways
from kdtasks.core.files import write_json
from kdtasks.core.processor import read_processor
from kdtasks.core.reproducibility import environment, pin_process

PEERS = ("keras_3_distiller", "train_step_distiller")


def main() -> None:
    """Print a table a round, and as the last line one JSON object; write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images and rounds")
    parser.add_argument("--threads", type=int, default=1, help="threads of every way")
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32", help="of every way"
    )
    parser.add_argument("--out", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    pin_process(arguments.threads, precision=arguments.precision)
    images, epochs, rounds = (2_048, 3, 3) if arguments.quick else (10_240, 4, 5)
    load_before = os.getloadavg()[0]
    ways = make_ways(images, epochs, arguments.precision)
    measured: list[dict[str, Speed]] = []
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}: images a second, and a second of the processor")
        measured.append({})
        for name, way in ways.items():
            measured[-1][name] = speed = way()
            print(f"  {name:<22}{speed.wall:>10,.0f}{speed.cpu:>10,.0f}", flush=True)
    result = {
        "command": f"python -m benchmarks.distillation{' --quick' if arguments.quick else ''}"
        f" --threads {arguments.threads} --precision {arguments.precision}",
        "images": images,
        "epochs_counted": epochs - 1,
        "rounds": rounds,
        "processor": read_processor().name,
        "load_before_and_after": [round(load, 1) for load in (load_before, os.getloadavg()[0])],
        "environment": environment(),
        "by_wall_time": _summary(measured, "wall"),
        "by_processor_time": _summary(measured, "cpu"),
    }
    if arguments.out:
        write_json(arguments.out, result)
    print(json.dumps(result))


def _summary(rounds: list[dict[str, Speed]], kind: str) -> dict[str, Any]:
    """Medians over rounds: speeds, seconds to the end, and ratios to the peers."""
    speeds = [{name: getattr(speed, kind) for name, speed in way.items()} for way in rounds]
    seconds = [
        {
            "cached": (IMAGES / one["teacher_pass"] + EPOCHS * IMAGES / one["cached"]),
            "cached_4_views": 4 * IMAGES / one["teacher_pass"] + EPOCHS * IMAGES / one["cached"],
            **{name: EPOCHS * IMAGES / one[name] for name in ("online", *PEERS)},
        }
        for one in speeds
    ]

    def median(values: list[float]) -> float:
        return round(statistics.median(values), 3)

    return {
        "images_per_second": {name: median([one[name] for one in speeds]) for name in speeds[0]},
        "seconds_for_20_epochs_of_50000": {
            name: median([one[name] for one in seconds]) for name in seconds[0]
        },
        "cached_over": {
            peer: median([one["cached"] / one[peer] for one in speeds]) for peer in PEERS
        },
        "online_over": {
            peer: median([one["online"] / one[peer] for one in speeds]) for peer in PEERS
        },
        "whole_run_over": {
            name: {peer: median([one[peer] / one[name] for one in seconds]) for peer in PEERS}
            for name in ("cached", "cached_4_views", "online")
        },
        "alone_over": {
            name: median([one["alone"] / one[name] for one in speeds])
            for name in speeds[0]
            if name.startswith("fit")
        },
    }


if __name__ == "__main__":
    main()
