"""Pictures a second, and the time to a distilled student, against Distillers that ask every step.

The pair is that of `cifar10-keras`: a teacher of convolutions 256–256–512 and a student of 32–32.
In every round each way trains the student in turn: cached targets and an online teacher here,
`keras.distillation.Distiller` of Keras 3 and a plain `train_step` Distiller in tf_keras there, and
without a teacher the loop here and `fit` there. A first epoch, in which all is compiled, does not
count. Pictures are random, since no way's speed depends on what they show, and are not augmented,
since the peers augment nothing. Ratios are taken round by round; their medians are reported.

The time to the end is arithmetic: 50,000 pictures, 20 epochs, at the speeds that were measured, and
for cached targets one teacher pass over every view.

    python -m benchmarks.distillation [--quick] [--threads 1] [--out FILE]
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from benchmarks.distillation_peers import (
    ALPHA,
    STUDENT,
    TEACHER,
    TEMPERATURE,
    fit,
    keras_3_distiller,
    keras_network,
    train_step_distiller,
)
from kdtasks.atomic import write_json
from kdtasks.processor import read_processor
from kdtasks.reproducibility import environment, pin_process

BATCH, EPOCHS, PICTURES = 64, 20, 50_000
SHAPE, CLASSES = (32, 32, 3), 10
PEERS = ("keras_3_distiller", "train_step_distiller")


class Speed(NamedTuple):
    """Pictures a second of wall time, and of the processor's time that this process used."""

    wall: float
    cpu: float


class Clock:
    """Starts when the first epoch is over."""

    def start(self) -> None:
        """Start."""
        self._begin = time.perf_counter(), time.process_time()

    def speed(self, pictures: int) -> Speed:
        """Stop, after so many pictures."""
        end = time.perf_counter(), time.process_time()
        return Speed(*(pictures / (b - a) for a, b in zip(self._begin, end, strict=True)))


def main() -> None:
    """Print a table a round, and as the last line one JSON object; write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer pictures and rounds")
    parser.add_argument("--threads", type=int, default=1, help="threads of every way")
    parser.add_argument("--out", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    pin_process(arguments.threads)
    pictures, epochs, rounds = (2_048, 3, 3) if arguments.quick else (10_240, 4, 5)
    load_before = os.getloadavg()[0]
    ways = _ways(pictures, epochs)
    measured: list[dict[str, Speed]] = []
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}: pictures a second, and a second of the processor")
        measured.append({})
        for name, way in ways.items():
            measured[-1][name] = speed = way()
            print(f"  {name:<22}{speed.wall:>10,.0f}{speed.cpu:>10,.0f}", flush=True)
    result = {
        "command": f"python -m benchmarks.distillation{' --quick' if arguments.quick else ''}"
        f" --threads {arguments.threads}",
        "pictures": pictures,
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
            "cached": (PICTURES / one["teacher_pass"] + EPOCHS * PICTURES / one["cached"]),
            "cached_4_views": 4 * PICTURES / one["teacher_pass"]
            + EPOCHS * PICTURES / one["cached"],
            **{name: EPOCHS * PICTURES / one[name] for name in ("online", *PEERS)},
        }
        for one in speeds
    ]

    def median(values: list[float]) -> float:
        return round(statistics.median(values), 3)

    return {
        "pictures_a_second": {name: median([one[name] for one in speeds]) for name in speeds[0]},
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
        "alone_over_fit": median([one["alone"] / one["fit"] for one in speeds]),
    }


def _ways(pictures: int, epochs: int) -> dict[str, Callable[[], Speed]]:
    from kdtasks.backend import keras, keras_3
    from kdtasks.distillation.halves import as_halves
    from kdtasks.distillation.label_objective import LabelObjective
    from kdtasks.distillation.objective import DistillationObjective
    from kdtasks.params.data import AugmentationParams
    from kdtasks.params.distillation import DistillParams
    from kdtasks.training.examples import TrainingExamples
    from kdtasks.training.fresh import FreshExamples
    from kdtasks.training.inference import Predictor

    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (pictures, 32, 32, 3), dtype=np.uint8)
    labels = draw.integers(0, 10, pictures).astype(np.int32)
    pixels = images.astype(np.float32)
    teacher = _zoo(TEACHER)
    predictor = Predictor(teacher)
    logits = predictor.logits(images)[-1]
    teachers = {library: keras_network(library, **TEACHER) for library in (keras, keras_3())}
    for library, network in teachers.items():
        network.set_weights(teacher.network.get_weights())
        of_peer = np.asarray(network(pixels[:8]))
        if not np.allclose(of_peer, logits[:8], rtol=1e-3, atol=1e-3):
            raise SystemExit(f"the teacher of {library.__name__} is not the teacher")
    distilling = DistillationObjective(DistillParams(alpha=ALPHA, temperature=TEMPERATURE), None)
    counted = (epochs - 1) * pictures

    def teacher_pass() -> Speed:
        clock = Clock()
        clock.start()
        predictor.logits(images)
        return clock.speed(pictures)

    def ours(examples: Any, objective: Any) -> Callable[[], Speed]:
        return lambda: _train(examples, objective, epochs)

    def theirs(library: Any, distiller: Callable[[Any, Any], Any] | None) -> Callable[[], Speed]:
        def run() -> Speed:
            student, clock = keras_network(library, **STUDENT), Clock()
            model = distiller(teachers[library], student) if distiller else _compiled(student)
            arrays = (pixels, labels)
            options = {"batch_size": BATCH, "epochs": epochs, "first_epoch_done": clock.start}
            fit(model, library, arrays, **options)
            return clock.speed(counted)

        return run

    cached = TrainingExamples(images[None], labels[None], logits[None].astype(np.float16))
    online = FreshExamples(
        images,
        labels,
        AugmentationParams(),
        seed=0,
        answer=lambda views: as_halves([predictor.logits(views)[-1]], ()),
    )
    return {
        "teacher_pass": teacher_pass,
        "cached": ours(cached, distilling),
        "online": ours(online, distilling),
        "keras_3_distiller": theirs(keras_3(), keras_3_distiller),
        "train_step_distiller": theirs(keras, train_step_distiller),
        "alone": ours(TrainingExamples(images[None], labels[None]), LabelObjective(None)),
        "fit": theirs(keras, None),
    }


class Timed:
    """Examples that start a clock at their second epoch."""

    def __init__(self, examples: Any) -> None:
        """Wrap examples in memory."""
        self._examples = examples
        self.clock = Clock()
        self.num_examples, self.layout = examples.num_examples, examples.layout
        self.megabytes = examples.megabytes

    def in_memory(self) -> "Timed":
        """Nothing to read."""
        return self

    def blocks(self, *, epoch: int, **rest: Any) -> Any:
        """Yield the blocks of the examples."""
        if epoch == 2:
            self.clock.start()
        return self._examples.blocks(epoch=epoch, **rest)


def _train(examples: Any, objective: Any, epochs: int) -> Speed:
    from kdtasks.training.loop import Schedule, train

    timed = Timed(examples)
    # Who learns from noise may well name one class for everything, which ends a training.
    unguarded = mock.patch("kdtasks.training.guard.Guard.check_predictions")
    with contextlib.redirect_stdout(io.StringIO()), unguarded:
        train(
            _zoo(STUDENT),
            timed,
            validation=(np.zeros((1, *SHAPE), np.uint8), np.zeros(1, np.int32)),
            objective=objective,
            schedule=Schedule(
                epochs=epochs,
                batch_size=BATCH,
                learning_rate=1e-3,
                seed=0,
                memory_limit_mb=4096,
                guard_epochs=epochs + 1,
            ),
        )
    return timed.clock.speed((epochs - 1) * examples.num_examples)


def _zoo(settings: dict[str, Any]) -> Any:
    from kdtasks.models.zoo import build
    from kdtasks.params.architecture import CnnParams
    from kdtasks.reproducibility import seed_everything

    seed_everything(0)
    network = CnnParams(
        name="cnn",
        batch_normalization=False,
        activation="leaky_relu",
        top="flatten",
        **settings,
    )
    return build(network, input_shape=SHAPE, num_classes=CLASSES)


def _compiled(student: Any) -> Any:
    from kdtasks.backend import keras

    student.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return student


if __name__ == "__main__":
    main()
