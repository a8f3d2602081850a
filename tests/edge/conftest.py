"""A tiny network, converted once: three exits, and a skip from the first segment to the last."""

import hashlib
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

from kdtasks.core.files import write_json
from kdtasks.edge.manifest import Manifest

SHAPE = (6, 5, 1)
CLASSES = 4
EXITS = 3
WIDTH = 16


class TinyNetwork(NamedTuple):
    """Weights in numpy and the same network as `.tflite` files."""

    bodies: list[np.ndarray]
    heads: list[np.ndarray]
    images: np.ndarray
    float32: bytes
    int8: bytes
    int8_mismatched: bytes

    def logits(self, image: np.ndarray) -> np.ndarray:
        """Work the logits [K, classes] out in numpy."""
        first = np.maximum(image.astype(np.float32).reshape(1, -1) @ self.bodies[0], 0.0)
        second = np.maximum(first @ self.bodies[1], 0.0)
        third = np.maximum(second @ self.bodies[2], 0.0) + first
        return np.concatenate(
            [first @ self.heads[0], second @ self.heads[1], third @ self.heads[2]]
        )


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> TinyNetwork:
    from kdtasks.core.backend import tf

    generator = np.random.default_rng(0)
    pixels = int(np.prod(SHAPE))

    def weights(rows: int, columns: int) -> np.ndarray:
        return (generator.normal(size=(rows, columns)) / rows**0.5).astype(np.float32)

    bodies = [weights(pixels, WIDTH) / 64, weights(WIDTH, WIDTH), weights(WIDTH, WIDTH)]
    heads = [weights(WIDTH, CLASSES) * 4 for _ in range(EXITS)]
    images = generator.integers(0, 256, (64, *SHAPE), np.uint8)
    images[0, 0, 0, 0], images[0, 0, 1, 0] = 0, 255

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, *SHAPE), tf.float32, name="image")])
        def segment_0(self, image):
            features = tf.nn.relu(tf.reshape(image, (1, pixels)) @ bodies[0])
            return {"logits": features @ heads[0], "features_0": features}

        @tf.function(input_signature=[tf.TensorSpec((1, WIDTH), tf.float32, name="features_0")])
        def segment_1(self, features_0):
            features = tf.nn.relu(features_0 @ bodies[1])
            return {"logits": features @ heads[1], "features_1": features}

        @tf.function(
            input_signature=[
                tf.TensorSpec((1, WIDTH), tf.float32, name=f"features_{k}") for k in range(2)
            ]
        )
        def segment_2(self, features_0, features_1):
            features = tf.nn.relu(features_1 @ bodies[2])
            return {"logits": (features + features_0) @ heads[2]}

    module = Network()
    takes = {
        "segment_0": ["image"],
        "segment_1": ["features_0"],
        "segment_2": ["features_0", "features_1"],
    }
    keys = list(takes)
    folder = str(tmp_path_factory.mktemp("saved") / "network")
    tf.saved_model.save(module, folder, signatures={key: getattr(module, key) for key in keys})

    def convert(gain: float | None) -> bytes:
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=keys)
        if gain is not None:

            def representative():
                for image in images:
                    tensors = {"image": image[None].astype(np.float32)}
                    for key, names in takes.items():
                        taken = {name: tensors[name] for name in names}
                        yield key, taken
                        given = getattr(module, key)(**taken)
                        tensors |= {name: value * gain for name, value in given.items()}

            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = representative
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        with warnings.catch_warnings():
            # "Statistics for quantized inputs were expected": they are there, one a signature.
            warnings.simplefilter("ignore", UserWarning)
            return converter.convert()

    return TinyNetwork(bodies, heads, images, convert(None), convert(1.0), convert(1.5))


@pytest.fixture
def make_bundle(tmp_path, network):
    """Give a function that writes a bundle folder, with changes to its manifest."""

    def make(content: bytes = network.float32, **changes: Any):
        manifest = Manifest(
            name="tiny",
            variant="float32",
            task="classification",
            class_names=("ant", "bee", "cat", "dog"),
            input={"shape": list(SHAPE), "dtype": "uint8", "range": [0, 255]},
            segments=EXITS,
            score="max_probability",
            temperatures=(2.0, 1.0, 0.5),
            thresholds=(0.6, 0.6),
            calibration={"mode": "drop"},
            macs=(100, 200, 300),
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            dataset_sha256="0" * 64,
            parameters={},
            libraries={},
        )
        folder = tmp_path / "bundle"
        folder.mkdir(exist_ok=True)
        (folder / "model.tflite").write_bytes(content)
        write_json(folder / "manifest.json", {**manifest.to_json(), **changes})
        return folder

    return make
