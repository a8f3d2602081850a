"""How many times as long as the training loop `tf_keras`'s own `fit` takes, and the floor of both.

The students of two recipes learn from random labels on one thread. Epochs of the loop and of `fit`
take turns. Seconds are the process's own, which other work on the machine stretches least; a figure
is the median over the epochs, or over their pairs. The floor is the network alone: TensorFlow runs
it forwards and backwards on one batch, without loss, optimiser or data. Its convolutions and matrix
products are run alone as well, each beside what it reaches of the core's peak, that of a product of
two matrices of 1024×1024. `ceiling` is `fit` over the network alone: no loop around the same
operations can be more times as fast.

    python -m benchmarks.training_loop [--rounds 7] [--write]
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from benchmarks.pages import fill
from kdtasks.core.files import write_json
from kdtasks.core.processor import read_processor

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "results" / "distillation" / "training-step.json"
PAGE = ROOT / "results" / "distillation" / "README.md"
COMMAND = "python -m benchmarks.training_loop --write"
SHAPES = {"mnist-5k": (28, 28, 1), "cifar10-keras": (32, 32, 3)}
STEPS, CLASSES = 40, 10
PARTS = ("forwards", "gradient of the features", "gradient of the weights")


class Product(NamedTuple):
    """A convolution or matrix product of a step."""

    part: str  # of PARTS
    flops: float
    run: Callable[[], Any]


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="epochs of either that are counted")
    parser.add_argument("--write", action="store_true", help="write results/")
    options = parser.parse_args()
    from kdtasks.core.reproducibility import pin_process

    pin_process(1)
    result = {
        "processor": read_processor().name,
        "load": round(os.getloadavg()[0], 1),
        "peak_gflops": round(_peak(), 1),
        "students": {recipe: _measure(recipe, options.rounds) for recipe in SHAPES},
    }
    print(table(result))
    print(json.dumps(result))
    if options.write:
        write_json(FIGURES, result)
        fill(PAGE, COMMAND, table(result))


def table(result: Any) -> str:
    """Give the figures as the page shows them."""
    students = dict(sorted(result["students"].items()))
    rows = {
        "a step of the loop": "{step_ms:.2f} ms",
        "a step of `fit`": "{fit_ms:.2f} ms",
        "`fit` over the loop": "**{fit_over_loop:.2f}**",
        "the network alone": "{network_ms:.2f} ms, {share:.0%} of the loop's step",
        "its products alone": "{products_ms:.2f} ms",
        **{f"… {part}": f"{{{part}}}" for part in PARTS},
        "ceiling: `fit` over the network alone": "**{ceiling:.2f}**",
    }
    told = [_told(one, result["peak_gflops"]) for one in students.values()]
    lines = [f"| | {' | '.join(students)} |", "|---" * (1 + len(students)) + "|"]
    lines += [
        f"| {name} | {' | '.join(form.format(**one) for one in told)} |"
        for name, form in rows.items()
    ]
    where = f"{result['processor']}, peak {result['peak_gflops']} GFLOP/s"
    return "\n".join([*lines, "", f"{where}, load {result['load']}.", ""])


def _told(one: Any, peak: float) -> dict[str, Any]:
    products = sum(part["ms"] for part in one["products"].values())
    parts = {
        name: f"{part['ms']:.2f} ms, {part['megaflops'] / part['ms'] / peak:.0%} of the peak"
        for name, part in one["products"].items()
    }
    ceiling, share = one["fit_ms"] / one["network_ms"], one["network_ms"] / one["step_ms"]
    return {**one, **parts, "products_ms": products, "ceiling": ceiling, "share": share}


def _measure(recipe: str, rounds: int) -> dict[str, Any]:
    from kdtasks.core.backend import keras, seed_everything
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.networks.multi_exit import MultiExitModel
    from kdtasks.learn.objectives.objective import LabelObjective
    from kdtasks.learn.training import loop
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.params.load import parse_params

    path = ROOT / "recipes" / f"{recipe}.yaml"
    params = parse_params(yaml.safe_load(path.read_text(encoding="utf-8")))
    student, batch_size = params.student, params.train.batch_size

    def make() -> MultiExitModel:
        seed_everything(0)
        return build(
            student.model,
            input_shape=SHAPES[recipe],
            num_classes=CLASSES,
            exits=student.exits,
            heads=student.heads,
        )

    draw = np.random.default_rng(0)
    shape = (STEPS * batch_size, *SHAPES[recipe])
    images = draw.integers(0, 256, shape, np.uint8)
    labels = draw.integers(0, CLASSES, len(images)).astype(np.int32)
    model, peer = make(), make().network
    peer.compile(
        optimizer=keras.optimizers.Adam(student.learning_rate),
        loss=[keras.losses.SparseCategoricalCrossentropy(from_logits=True)] * len(peer.outputs),
    )
    targets, pixels = [labels] * len(peer.outputs), images.astype(np.float32)
    turns: list[tuple[float, float]] = []  # seconds of an epoch of the loop, and of `fit`
    ends = [time.process_time()]

    def validate(*_: object, **__: object) -> tuple[dict[str, float], np.ndarray]:
        """In place of a validation, an epoch of `fit`."""
        mine = time.process_time()
        peer.fit(pixels, targets, batch_size=batch_size, epochs=1, verbose=0)
        turns.append((mine - ends[-1], time.process_time() - mine))
        ends.append(time.process_time())
        return {"validation_loss": 0.0, "validation_accuracy": 0.0}, np.ones(CLASSES, np.int64)

    loop._validate = validate
    loop.train(
        model,
        TrainingExamples(images[np.newaxis], labels[np.newaxis]),
        validation=(images[:1], labels[:1]),
        objective=LabelObjective(),
        schedule=loop.TrainingSchedule(
            params.train.model_copy(update={"guard_epochs": rounds + 2}),
            epochs=rounds + 1,
            learning_rate=student.learning_rate,
            seed=0,
        ),
    )
    counted = np.array(turns[1:])  # the first epochs compile
    step, fit = np.median(counted, axis=0) * 1e3 / STEPS
    parts = {part: {"ms": 0.0, "megaflops": 0.0} for part in PARTS}
    for product in _products(model.network, batch_size):
        part = parts[product.part]
        part["ms"] = round(part["ms"] + _milliseconds(product.run), 3)
        part["megaflops"] = round(part["megaflops"] + product.flops / 1e6, 2)
    return {
        "step_ms": round(float(step), 3),
        "fit_ms": round(float(fit), 3),
        "fit_over_loop": round(statistics.median(fit / mine for mine, fit in counted.tolist()), 3),
        "network_ms": round(_milliseconds(_gradients(model, pixels[:batch_size])), 3),
        "products": parts,
    }


def _gradients(model: Any, images: np.ndarray) -> Callable[[], Any]:
    """All exits of one batch and their gradients to every weight."""
    from kdtasks.core.backend import tf

    network, batch = model.network, tf.constant(images)

    def run() -> Any:
        with tf.GradientTape() as tape:
            logits = network(batch, training=True)
        return tape.gradient(logits, network.trainable_variables)

    return run


def _products(network: Any, batch_size: int) -> Iterator[Product]:
    """Those of one step; nobody asks for the gradient of the first layer's features."""
    from kdtasks.core.backend import keras, tf

    draw = np.random.default_rng(0)
    is_first = True
    for layer in network.layers:
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            continue
        shapes = (layer.input_shape[1:], layer.output_shape[1:])
        given, back = (
            tf.constant(draw.normal(size=(batch_size, *shape)), tf.float32) for shape in shapes
        )
        kernel = tf.constant(layer.kernel)
        flops = 2 * batch_size * prod(layer.output_shape[1:-1]) * prod(kernel.shape)
        for part, run in zip(PARTS, _ways(layer, given, kernel, back), strict=True):
            if not (is_first and part == PARTS[1]):
                yield Product(part, flops, run)
        is_first = False


def _ways(layer: Any, given: Any, kernel: Any, back: Any) -> tuple[Callable[[], Any], ...]:
    """A layer's product forwards, and backwards to its features and to its weights."""
    from kdtasks.core.backend import tf

    if not hasattr(layer, "strides"):
        return (
            lambda: tf.matmul(given, kernel),
            lambda: tf.matmul(back, kernel, transpose_b=True),
            lambda: tf.matmul(given, back, transpose_a=True),
        )
    how = {"strides": [1, *layer.strides, 1], "padding": layer.padding.upper()}
    sizes = (given.shape, kernel.shape)
    return (
        lambda: tf.raw_ops.Conv2D(input=given, filter=kernel, **how),
        lambda: tf.raw_ops.Conv2DBackpropInput(
            input_sizes=sizes[0], filter=kernel, out_backprop=back, **how
        ),
        lambda: tf.raw_ops.Conv2DBackpropFilter(
            input=given, filter_sizes=sizes[1], out_backprop=back, **how
        ),
    )


def _milliseconds(run: Callable[[], Any], times: int = 20) -> float:
    """Of one run, the median of five lots; in a loop of TensorFlow's own, as training runs it."""
    from kdtasks.core.backend import tf

    @tf.function(autograph=False)
    def many() -> Any:
        start = (tf.constant(1), run())
        return tf.while_loop(lambda turn, _: turn < times, lambda turn, _: (turn + 1, run()), start)

    def lot() -> float:
        start = time.process_time()
        tf.nest.flatten(many())[-1].numpy()
        return (time.process_time() - start) * 1e3 / times

    lot()  # compiles
    return statistics.median(lot() for _ in range(5))


def _peak(side: int = 1024) -> float:
    """GFLOP/s of one thread."""
    from kdtasks.core.backend import tf

    matrix = tf.constant(np.random.default_rng(0).normal(size=(side, side)), tf.float32)

    def seconds() -> float:
        start = time.process_time()
        tf.matmul(matrix, matrix).numpy()
        return time.process_time() - start

    return 2e-9 * side**3 / min(seconds() for _ in range(20))


if __name__ == "__main__":
    main()
