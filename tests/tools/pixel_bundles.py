"""Bundles that are right and wrong as a test wants it.

Images have two pixels [1, 2, 1] and are `dark` or `bright`. A model looks at one pixel only, so
images can be made that two models get right or wrong, each as wished.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.files import write_json
from kdtasks.data.prepare import write_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.edge.manifest import Manifest
from kdtasks.params import Params

SHAPE = (1, 2, 1)
CLASS_NAMES = ("dark", "bright")
BRIGHTNESS = (40, 200)


def convert_pixel_model(pixel: int, folder: Path) -> bytes:
    """Convert the network that looks at one pixel: one segment, no early exit."""
    from kdtasks.core.backend import tf

    weights = np.zeros((2, 2), np.float32)
    weights[pixel] = [-1.0, 1.0]

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, *SHAPE), tf.float32, name="image")])
        def segment_0(self, image: Any) -> dict[str, Any]:
            return {"logits": (tf.reshape(image, (1, 2)) / 64 - 2) @ weights}

    network = Network()
    tf.saved_model.save(network, str(folder), signatures={"segment_0": network.segment_0})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["segment_0"])
    return bytes(converter.convert())


def write_pixel_bundle(folder: Path, content: bytes, **changes: Any) -> Path:
    """Write a bundle around a converted model, with changes to its manifest."""
    manifest = Manifest(
        name="pixels",
        variant="float32",
        task="classification",
        class_names=CLASS_NAMES,
        input={"shape": list(SHAPE), "dtype": "uint8", "range": [0, 255]},
        segments=1,
        score="max_probability",
        temperatures=(1.0,),
        thresholds=(),
        calibration={},
        macs=(4,),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        dataset_sha256="0" * 64,
        parameters={},
        libraries={},
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(content)
    write_json(folder / "manifest.json", dataclasses.replace(manifest, **changes).to_json())
    return folder


def write_pixel_dataset(
    folder: Path, params: Params, right: Sequence[tuple[int, bool, bool]]
) -> str:
    """Write prepared images: of each kind a number, and which of the two models get them right.

    Returns: the hash of their description, as a bundle's manifest has it.
    """
    numbers = [number for number, _, _ in right]
    labels = np.arange(sum(numbers), dtype=np.int32) % 2
    truths = np.repeat(np.array([(first, second) for _, first, second in right]), numbers, axis=0)
    seen = np.where(truths, labels[:, None], 1 - labels[:, None])
    images = np.array(BRIGHTNESS, np.uint8)[seen].reshape(-1, *SHAPE)
    rows = np.arange(len(labels))
    dataset = RawDataset(
        task="classification",
        images=images,
        labels=labels,
        class_names=CLASS_NAMES,
        origins=tuple(map(str, rows)),
    )
    few = rows[:4]
    splits = {"train": few, "validation": few, "calibration": few, "test": rows}
    write_prepared(folder, dataset, splits, params.data)
    return hashlib.sha256((folder / "dataset.json").read_bytes()).hexdigest()
