"""Bundles of two exits that tell dark images from bright ones, for servers and agents."""

import dataclasses
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from kdtasks.core.files import write_json
from kdtasks.edge.bundle_files import SELF_TEST
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import Segments
from kdtasks.edge.self_test import SelfTest

SHAPE = (4, 4, 1)
CLASS_NAMES = ("dark", "bright")


@pytest.fixture(scope="session")
def light_model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The first exit is unsure of what is neither dark nor bright."""
    from kdtasks.core.backend import tf

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, *SHAPE), tf.float32, name="image")])
        def segment_0(self, image: Any) -> dict[str, Any]:
            features = tf.reshape(tf.reduce_mean(image) - 128.0, (1, 1))
            return {"logits": features @ [[-0.05, 0.05]], "features_0": features}

        @tf.function(input_signature=[tf.TensorSpec((1, 1), tf.float32, name="features_0")])
        def segment_1(self, features_0: Any) -> dict[str, Any]:
            return {"logits": features_0 @ [[-1.0, 1.0]]}

    folder = str(tmp_path_factory.mktemp("light") / "saved")
    network, keys = Network(), ["segment_0", "segment_1"]
    tf.saved_model.save(network, folder, signatures={key: getattr(network, key) for key in keys})
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=keys)
    return bytes(converter.convert())


def write_light_bundle(folder: Path, content: bytes, *, error: float = 0.0, **changes: Any) -> Path:
    """Write a bundle with a self-test.

    Args:
        error: how far the expected logits are off; from 0.1 on the self-test fails.
        changes: to the manifest.
    """
    images = np.stack([np.full(SHAPE, level, np.uint8) for level in (10, 120, 240)])
    logits = Segments(content).logits_of(images) + np.float32(error)
    stored = SelfTest(images, logits, np.full(2, 0.1, np.float32)).to_bytes()
    about = {
        "file": SELF_TEST,
        "sha256": hashlib.sha256(stored).hexdigest(),
        "images": len(images),
    }
    manifest = Manifest(
        name="light",
        variant="float32",
        task="classification",
        class_names=CLASS_NAMES,
        input={"shape": list(SHAPE), "dtype": "uint8", "range": [0, 255]},
        segments=2,
        score="max_probability",
        temperatures=(1.0, 1.0),
        thresholds=(0.95,),
        calibration={},
        macs=(2, 4),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        dataset_sha256="0" * 64,
        parameters={},
        libraries={},
        self_test=about,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(content)
    (folder / SELF_TEST).write_bytes(stored)
    write_json(folder / "manifest.json", dataclasses.replace(manifest, **changes).to_json())
    return folder


def with_operator(content: bytes, kind: str) -> bytes:
    """Let a `.tflite` name an operator, a name of `BuiltinOperator`, among those that it uses."""
    from ai_edge_litert import schema_py_generated as schema

    from kdtasks.compress.tflite.editing import write_model

    model, code = schema.ModelT.InitFromPackedBuf(content, 0), schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    model.operatorCodes.append(code)
    return write_model(model)


def png_of(level: int, size: tuple[int, int] = (4, 4)) -> bytes:
    """Give a grey image, 0 black … 255 white, as a file's content."""
    file = io.BytesIO()
    PIL.Image.new("L", size, level).save(file, "PNG")
    return file.getvalue()


DARK, MIDDLE, BRIGHT = png_of(0), png_of(140), png_of(255)
