"""What int8 loses on a network with depthwise layers of a wide range, and what each remedy regains.

The channels of every depthwise layer are scaled by powers of two and the next layer's kernel by
their inverse: in float32 the network is the same to the bit but for rounding, in int8 the small
channels vanish in the steps of the large ones. It has random weights, and its answers in float
stand for the labels, so that the loss is all quantisation's. Writes results/int8-remedies.json.

    python -m benchmarks.int8_remedies --seeds 5
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.compress.convert import calibrate
from kdtasks.compress.layer_errors import LayerTrials
from kdtasks.compress.number_formats.builtin import Int8
from kdtasks.compress.quantization.quantizer import quantize
from kdtasks.core.files import write_json
from kdtasks.edge.segments import Segments
from kdtasks.learn.networks.inference import ForwardPass
from kdtasks.learn.networks.multi_exit import MultiExitModel

RESULTS = Path("results/int8-remedies.json")
SHAPE, CLASSES = (16, 16, 3), 10
# What is tried; one scale a kernel is no remedy, but what some devices ask for.
REMEDIES = {
    "per_channel: false": Int8(per_channel=False),
    "percentile": Int8(ranges="percentile", percentile=99.9),
    "mse": Int8(ranges="mse"),
    "bias_correction": Int8(bias_correction=True),
    "auto 1": Int8(auto=1),
    "auto 2": Int8(auto=2),
}


def wide_network(seed: int, *, octaves: float, blocks: int = 2) -> MultiExitModel:
    """Depthwise and pointwise convolutions, whose depthwise channels differ by 2 ** `octaves`."""
    from kdtasks.core.backend import keras

    layers, draw, filters = keras.layers, np.random.default_rng(seed), 12
    image = tensor = keras.Input(SHAPE, name="image")
    tensor = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(tensor)
    tensor = layers.Conv2D(filters, 3, padding="same", name="stem", activation="relu")(tensor)
    for block in range(blocks):
        tensor = layers.DepthwiseConv2D(3, padding="same", name=f"wide_{block}", activation="relu")(
            tensor
        )
        tensor = layers.Conv2D(filters, 1, name=f"mix_{block}", activation="relu")(tensor)
    tensor = layers.MaxPooling2D(4, name="pool")(tensor)
    tensor = layers.Flatten(name="flatten")(tensor)
    tensor = layers.Dense(CLASSES, name="logits")(tensor)
    network = keras.Model(image, [tensor])
    network.set_weights(
        [draw.normal(size=it.shape) / np.sqrt(np.prod(it.shape[:-1]) or 1)
         if it.ndim > 1 else np.zeros_like(it) for it in network.get_weights()]
    )  # fmt: skip
    for block in range(blocks):
        wide, mix = network.get_layer(f"wide_{block}"), network.get_layer(f"mix_{block}")
        scales = 2.0 ** np.linspace(0, octaves, filters)
        (kernel, bias), (next_kernel, next_bias) = wide.get_weights(), mix.get_weights()
        kernel = kernel * 3  # of nine taps: activations keep their size
        wide.set_weights([kernel * scales[:, None], bias])
        mix.set_weights([next_kernel / scales[:, None], next_bias])
    return MultiExitModel(network=network)


def agreement(content: bytes, images: np.ndarray, expected: np.ndarray) -> float:
    """Fraction of the images that a file answers as `expected`."""
    return float((Segments(content).logits_of(images)[:, -1].argmax(-1) == expected).mean())


def measure(seed: int, *, octaves: float, images: int) -> dict[str, Any]:
    """Agreement with float of plain int8 and with every remedy, on images that set no range."""
    model, draw = wide_network(seed, octaves=octaves), np.random.default_rng(seed)
    drawn = draw.integers(0, 256, (images + 50, *SHAPE), np.uint8)
    representative, tested = drawn[:50], drawn[50:]
    expected = ForwardPass(model).logits(tested)[-1].argmax(-1)
    calibrated = calibrate(model, representative)
    plain = quantize(calibrated, Int8(), representative)
    found = {"plain": agreement(plain, tested, expected)}
    trials = LayerTrials(model, Int8(), representative)
    for name, settings in REMEDIES.items():
        chosen = settings.model_copy(update={"keep_float": trials.chosen(settings)})
        content = quantize(calibrated, chosen, representative)
        found[name] = agreement(content, tested, expected)
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=500)
    options = parser.parse_args()
    rows = {}
    for octaves in (0, 10):
        found = [
            measure(seed, octaves=octaves, images=options.images) for seed in range(options.seeds)
        ]
        by_name = {name: [one[name] for one in found] for name in found[0]}
        means = {name: round(float(np.mean(values)), 4) for name, values in by_name.items()}
        print(octaves, "octaves:", means)
        rows[str(octaves)] = {"mean": means, "by_seed": by_name}
    write_json(RESULTS, {"seeds": options.seeds, "images": options.images, "octaves": rows})


if __name__ == "__main__":
    main()
