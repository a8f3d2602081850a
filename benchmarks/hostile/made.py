"""The whole files: a bundle of two exits, and one small teacher in every format."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.compress.bundle.write import make_self_test, write_bundle
from kdtasks.core.backend import keras, keras_3, tf
from kdtasks.edge.bundle_files import MODEL, BundleFiles
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import Segments
from kdtasks.orchestrate.project.pack import write_archive

CLASSES = 3


def write_bundles(seeds: Path, shape: tuple[int, ...]) -> None:
    """Write a bundle as a folder, `bundle`, and as `it.kdz`; images are uint8 of `shape`."""
    draw = np.random.default_rng(0)
    pixels = int(np.prod(shape))
    body, *heads = (
        draw.normal(size=size).astype(np.float32) / size[0]
        for size in ((pixels, 16), (16, CLASSES), (16, CLASSES))
    )

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, *shape), tf.float32, name="image")])
        def segment_0(self, image: Any) -> dict[str, Any]:
            features = tf.nn.relu(tf.reshape(image, (1, pixels)) @ body)
            return {"logits": features @ heads[0], "features": features}

        @tf.function(input_signature=[tf.TensorSpec((1, 16), tf.float32, name="features")])
        def segment_1(self, features: Any) -> dict[str, Any]:
            return {"logits": tf.nn.relu(features) @ heads[1]}

    network, keys = Network(), ["segment_0", "segment_1"]
    folder = str(seeds / "network")
    tf.saved_model.save(network, folder, signatures={key: getattr(network, key) for key in keys})
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=keys)
    model = converter.convert()
    manifest = Manifest(
        name="hostile",
        variant="float32",
        task="classification",
        class_names=("ant", "bee", "cat"),
        input={"shape": list(shape), "dtype": "uint8", "range": [0, 255], "deep_range": [0, 4095]},
        segments=2,
        score="max_probability",
        temperatures=(1.5, 1.0),
        thresholds=(0.6,),
        macs=(100, 200),
        dataset_sha256="0" * 64,
        calibration={"mode": "drop", "rows": 10},
        bytes=0,
        sha256="",
        parameters={"data": {"image_size": [8, 8], "source": {"name": "folder", "classes": None}}},
        libraries={"kdtasks": "0.1.0", "tensorflow": None},
        metrics={"validation": {"rows": 9, "accuracy": 0.9, "interval": [0.7, 1.0], "cost": 0.5}},
        parity={
            "rows": 9,
            "tolerance": 0.1,
            "exits": [{"error": 0.01, "changed": 0.0, "interval": [0.0, 0.1]}] * 2,
        },
        provenance={"git_revision": None, "git_changed": None, "dvc_lock_sha256": "1" * 64},
    )
    images = draw.integers(0, 256, (2, *shape), np.uint8)
    test = make_self_test(Segments(model), images, manifest, count=2)
    write_bundle(seeds / "bundle", model, manifest, test)
    with BundleFiles(seeds / "bundle") as files:
        write_archive(seeds / "it.kdz", {name: files.read(name) for name in files.names})
        (seeds / MODEL).write_bytes(files.read(MODEL))


def write_teachers(seeds: Path, images: np.ndarray) -> None:
    """Write a teacher in every format, each with what it answers to `images`, as `NAME.answers`."""
    import onnx

    def network(library: Any) -> Any:
        image = library.Input(images.shape[1:])
        tensor = library.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
        tensor = library.layers.GlobalAveragePooling2D()(tensor)
        return library.Model(image, library.layers.Dense(CLASSES)(tensor))

    keras.utils.set_random_seed(0)
    old, new = network(keras), network(keras_3())
    with warnings.catch_warnings(action="ignore"):
        old.save(seeds / "old.keras")
        old.save(seeds / "old.h5")
        new.save(seeds / "new.keras")
        new.save(seeds / "new.h5")
        old.save(seeds / "saved_model", save_format="tf")
    (seeds / "it.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(old).convert())
    _write_onnx(onnx, seeds / "it.onnx", images.shape[1:])
    np.savez(
        seeds / "answers.npz",
        names=np.array([f"{row}" for row in range(len(images))]),
        logits=np.asarray(old(images.astype(np.float32))),
        classes=np.array([f"{index}" for index in range(CLASSES)]),
    )
    rows = np.asarray(old(images.astype(np.float32)))
    lines = [f"{row}," + ",".join(map(str, values)) for row, values in enumerate(rows)]
    (seeds / "answers.csv").write_text("\n".join(["name,0,1,2", *lines]))


def _write_onnx(onnx: Any, path: Path, shape: tuple[int, ...]) -> None:
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    weights = np.random.default_rng(0).normal(size=(CLASSES, shape[2], 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel"], ["features"], pads=[1] * 4),
            helper.make_node("GlobalAveragePool", ["features"], ["means"]),
            helper.make_node("Flatten", ["means"], ["logits"]),
        ],
        "network",
        [helper.make_tensor_value_info("image", number, ["n", shape[2], *shape[:2]])],
        [helper.make_tensor_value_info("logits", number, ["n", CLASSES])],
        [onnx.numpy_helper.from_array(weights, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
