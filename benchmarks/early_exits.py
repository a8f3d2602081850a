"""What early exits gain on AlexNet with 32×32 images: calibration, batches, single images.

The weights are random and thresholds are set so that 70, 20 and 10 % of the images leave at the
three exits, so no data are needed and times are those of a trained network. What is compared is
measured in turn, and medians are taken of ratios turn by turn:

- calibration from batches, and from stored logits, against running the network on one image after
  the other; all three choose the same thresholds from the same logits;
- `predict_dynamic` against running every segment and choosing afterwards, beside the bound that the
  multiply-accumulates (MACs) allow;
- in LiteRT, leaving at each exit against the plain network without early exits, float, int8 and
  int8 after `space_to_depth`, one thread, beside each exit's share of the MACs; and the mean of
  images that leave where they will, against the plain network in the same numbers.

    python -m benchmarks.early_exits [--quick] [--out FILE]
"""

import argparse
import functools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loose_model import loose_model
from kdtasks.core.files import write_json
from kdtasks.core.processor import read_processor
from kdtasks.core.reproducibility import pin_process
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.scores import ALWAYS, NEVER, max_probability
from kdtasks.edge.segments import Segments

_SHAPE, _CLASSES = (32, 32, 3), 10
# The first convolution sees three channels, which int8 kernels pad to 64: of an exit right behind
# it the MACs tell too little, so it is measured as well.
_PLACES = (("block_2", "block_3"), ("block_1", "block_3"))
_LEAVING = (0.7, 0.2)
_BATCH = 256


def main() -> None:
    """Print a table, and as the last line one JSON object with the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer images and turns")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file as well")
    options = parser.parse_args()
    num_images, single, turns, runs = (512, 50, 3, 200) if options.quick else (2048, 400, 7, 2000)
    pin_process(1)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (num_images, *_SHAPE), dtype=np.uint8)
    figures: dict[str, Any] = {"cpu": read_processor().name, "threads": 1}
    for exits in _PLACES:
        model = _network(exits)
        print(f"exits after {' and '.join(exits)}")
        figures[" ".join(exits)] = {
            "macs_share": [round(macs / model.macs()[-1], 4) for macs in model.macs()],
            "calibration": _time_calibration(model, images, single),
            "batches": _time_batches(model, images, turns),
            "litert": _time_litert(model, images[:256], runs),
        }
    if options.out:
        write_json(options.out, figures)
    print(json.dumps(figures))


def _time_calibration(model: Any, images: np.ndarray, single: int) -> dict[str, float]:
    from kdtasks.core.backend import tf
    from kdtasks.evaluate.exits.calibrate import calibrate
    from kdtasks.evaluate.exits.settings import ExitsParams
    from kdtasks.learn.networks.inference import ForwardPass

    labels = np.random.default_rng(1).integers(0, _CLASSES, len(images))
    predictor, macs = ForwardPass(model, batch_size=_BATCH), model.macs()
    stored = np.stack(predictor.logits(images), axis=1)

    def one_by_one() -> np.ndarray:
        rows = []
        for image in images[:single]:
            pixels = tf.cast(image[np.newaxis], tf.float32)
            rows.append([logits.numpy()[0] for logits in model.logits(pixels)])
        return np.array(rows)

    def choose(logits: np.ndarray) -> None:
        rows = (logits, labels[: len(logits)])
        calibrate(rows, rows, ExitsParams(mode="drop", max_accuracy_drop=0.01), macs=macs)

    choose(stored)
    model.logits(tf.cast(images[:1], tf.float32))
    peer = _seconds(one_by_one) / single  # an image; the choice from the logits comes on top
    batched = _seconds(lambda: predictor.logits(images)) / len(images)
    choice = _seconds(lambda: choose(stored)) / len(images)
    found = {
        "one_by_one_ms_per_image": 1e3 * (peer + choice),
        "batched_ms_per_image": 1e3 * (batched + choice),
        "stored_ms_per_image": 1e3 * choice,
        "batched_speedup": (peer + choice) / (batched + choice),
        "stored_speedup": (peer + choice) / choice,
        "images": len(images),
    }
    print(
        f"calibration   {found['batched_speedup']:.0f}x in batches, "
        f"{found['stored_speedup']:.0f}x from stored logits, over one image after the other"
    )
    return _rounded(found)


def _time_batches(model: Any, images: np.ndarray, turns: int) -> dict[str, float]:
    from kdtasks.learn.networks.dynamic import DynamicNetwork
    from kdtasks.learn.networks.inference import ForwardPass

    logits = np.stack(ForwardPass(model, batch_size=_BATCH).logits(images), axis=1)
    network = DynamicNetwork(model, thresholds=_thresholds(logits))
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]

    def run(predict: Callable[[Any], Any]) -> list[np.ndarray]:
        return [predict(batch).exit_index.numpy() for batch in batches]

    exits = np.concatenate(run(network.predict_dynamic))
    assert np.mean(exits == np.concatenate(run(network.predict_all))) > 0.99
    macs = np.array(model.macs())
    bound = float(macs[-1] / macs[exits].mean())
    ratios = []
    for turn in range(turns):
        order = (network.predict_all, network.predict_dynamic)[:: 1 if turn % 2 else -1]
        seconds = {predict.__name__: _seconds(functools.partial(run, predict)) for predict in order}
        ratios.append(seconds["predict_all"] / seconds["predict_dynamic"])
    found = {
        "speedup": statistics.median(ratios),
        "bound": bound,
        "share_of_bound": statistics.median(ratios) / bound,
        "left_at_each_exit": [float(np.mean(exits == k)) for k in range(len(macs))],
        "batch": _BATCH,
    }
    print(
        f"batches       {found['speedup']:.2f}x by predict_dynamic, {found['share_of_bound']:.0%} "
        f"of the bound of {bound:.2f}x"
    )
    return _rounded(found)


def _time_litert(model: Any, images: np.ndarray, runs: int) -> dict[str, Any]:
    from kdtasks.compress.convert import convert
    from kdtasks.compress.passes.space_to_depth import SpaceToDepth
    from kdtasks.compress.tflite.average_pooling import pool_as_convolution
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    plain = MultiExitModel(keras.Model(model.network.inputs, model.network.outputs[-1]))
    share = np.array(model.macs()) / model.macs()[-1]
    early = model.num_exits - 1
    found: dict[str, Any] = {}
    for kind in ("float32", "int8", "int8_on_blocks"):
        content, plain_content = (
            convert(each, number_format=kind.partition("_")[0], representative=images[:50])
            for each in (model, plain)
        )
        if kind == "int8_on_blocks":
            content, plain_content = (
                SpaceToDepth().rewrite(content),
                SpaceToDepth().rewrite(plain_content),
            )
        if kind != "float32":
            content, plain_content = (
                pool_as_convolution(content),
                pool_as_convolution(plain_content),
            )
        leaving_at = {
            f"exit_{k}": loose_model(content, model.macs(), [*[NEVER] * k, *[ALWAYS] * (early - k)])
            for k in range(early + 1)
        }
        thresholds = _thresholds(Segments(content).logits_of(images))
        chosen = loose_model(content, model.macs(), thresholds)
        models = {
            "plain": loose_model(plain_content, plain.macs(), []), "chosen": chosen, **leaving_at
        }  # fmt: skip
        times, left_at = _time_in_turn(models, images, runs)
        medians = {name: float(np.median(each)) for name, each in times.items()}
        # A mean of medians, exit by exit: whatever else the machine does falls on single images.
        shares = np.bincount(left_at, minlength=early + 1) / runs
        mean = sum(
            float(shares[k] * np.median(times["chosen"][left_at == k])) for k in np.unique(left_at)
        )
        over_plain = [medians[f"exit_{k}"] / medians["plain"] for k in range(early + 1)]
        found[kind] = {
            "plain_ms": medians["plain"],
            "exit_ms": [medians[f"exit_{k}"] for k in range(early + 1)],
            "over_plain": over_plain,
            "first_exit_over_its_share": over_plain[0] / float(share[0]),
            "last_exit_over_plain": over_plain[-1],
            "left_at_each_exit": shares.tolist(),
            "mean_ms": mean,
            "mean_speedup": medians["plain"] / mean,
            "bytes": len(content),
            "plain_bytes": len(plain_content),
        }
        exits = ", ".join(f"{r:.2f} ({s:.0%})" for r, s in zip(over_plain, share, strict=True))
        print(
            f"{kind:<15} over the plain network at each exit (MACs): {exits}; "
            f"{found[kind]['mean_speedup']:.2f}x on average"
        )
        found[kind] = _rounded(found[kind])
    return found


def _time_in_turn(
    models: dict[str, Classifier], images: np.ndarray, runs: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Milliseconds of every model, image by image in turn, and where `chosen` leaves."""
    times = {name: np.empty(runs) for name in models}
    left_at = np.empty(runs, np.int64)
    for run in range(-20, runs):  # the first of them are not counted
        image = images[run % len(images)]
        for name, each in models.items():
            start = time.perf_counter_ns()
            prediction = each.predict(image)
            elapsed = time.perf_counter_ns() - start
            if run >= 0:
                times[name][run] = elapsed / 1e6
                if name == "chosen":
                    left_at[run] = prediction.exit_index
    return times, left_at


def _thresholds(logits: np.ndarray) -> list[float]:
    """Thresholds [K − 1] at which the shares `_LEAVING` of the images leave."""
    scores = max_probability(logits)
    staying = np.ones(len(logits), bool)
    found = []
    for k, share in enumerate(_LEAVING):
        place = 1 - share * len(logits) / np.count_nonzero(staying)
        found.append(float(np.quantile(scores[staying, k], place)))
        staying &= scores[:, k] < found[-1]
    return found


def _network(exits: tuple[str, ...]) -> Any:
    from kdtasks.core.backend import seed_everything
    from kdtasks.learn.networks.alexnet import AlexNet
    from kdtasks.learn.networks.build import build

    seed_everything(0)
    return build(AlexNet(), input_shape=_SHAPE, num_classes=_CLASSES, exits=exits)


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    def shorten(value: Any) -> Any:
        if isinstance(value, list):
            return [shorten(each) for each in value]
        return float(f"{value:.4g}") if isinstance(value, float) else value

    return {name: shorten(value) for name, value in figures.items()}


if __name__ == "__main__":
    main()
