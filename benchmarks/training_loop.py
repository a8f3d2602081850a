"""Images a second of the training loop against `tf_keras`'s own `fit`, on the same network.

Both train the student of `mnist-5k` on the same random images, in turn, several times; the ratio
is taken pair by pair and its median is reported.

    python -m benchmarks.training_loop [--quick]
"""

import argparse
import contextlib
import io
import json
import statistics
import time
from unittest import mock

import numpy as np

_SHAPE = (28, 28, 1)
_CLASSES = 10
_BATCH = 64


def main() -> None:
    """Print a table, and as the last line one JSON object with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer images and repeats")
    quick = parser.parse_args().quick
    num_images, epochs, repeats = (4_000, 2, 2) if quick else (20_000, 3, 5)
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (num_images, *_SHAPE), dtype=np.uint8)
    labels = draw.integers(0, _CLASSES, num_images).astype(np.int32)
    _time_loop(images, labels, epochs=1)
    _time_fit(images, labels, epochs=1)
    rows = []
    print(f"{'':>6} {'fit':>12} {'loop':>12} {'ratio':>7}   images a second")
    for repeat in range(1, repeats + 1):
        ours = epochs * num_images / _time_loop(images, labels, epochs=epochs)
        peer = epochs * num_images / _time_fit(images, labels, epochs=epochs)
        rows.append((peer, ours, ours / peer))
        print(f"{repeat:>6} {peer:>12,.0f} {ours:>12,.0f} {ours / peer:>7.2f}")
    ratio = statistics.median(row[2] for row in rows)
    print(json.dumps({"training_loop_over_fit": round(ratio, 3), "repeats": repeats}))


def _time_loop(images: np.ndarray, labels: np.ndarray, *, epochs: int) -> float:
    from kdtasks.learn.objectives.objective import LabelObjective
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.loop import TrainingSchedule, train
    from kdtasks.learn.training.settings import TrainParams

    model = _network()
    schedule = TrainingSchedule(
        TrainParams(batch_size=_BATCH, guard_epochs=epochs + 1),
        epochs=epochs,
        learning_rate=1e-3,
        seed=0,
    )
    # Who learns from noise may well name one class for everything, which ends a training.
    unguarded = mock.patch("kdtasks.learn.training.monitor.CollapseGuard.check_predictions")
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), unguarded:
        train(
            model,
            TrainingExamples(images[np.newaxis], labels[np.newaxis]),
            validation=(images[:1], labels[:1]),
            objective=LabelObjective(),
            schedule=schedule,
        )
    return time.perf_counter() - start


def _time_fit(images: np.ndarray, labels: np.ndarray, *, epochs: int) -> float:
    from kdtasks.core.backend import keras

    model = _network().network
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=[loss] * 3)
    pixels = images.astype(np.float32)
    start = time.perf_counter()
    model.fit(pixels, [labels] * 3, batch_size=_BATCH, epochs=epochs, verbose=0)
    return time.perf_counter() - start


def _network():  # type: ignore[no-untyped-def]  # the class needs TensorFlow
    from kdtasks.core.backend import seed_everything
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.networks.cnn import CNN

    seed_everything(0)
    return build(
        CNN(filters=(8, 16, 32)),
        input_shape=_SHAPE,
        num_classes=_CLASSES,
        exits=("block_1", "block_2"),
    )


if __name__ == "__main__":
    main()
