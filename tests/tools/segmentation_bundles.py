"""Bundles of segmentation whose answers are known for images of any size.

Images are RGB, tiles have 8×12 pixels, and the classes are `red`, `green` and `blue`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from tests.tools.pixel_bundles import write_pixel_bundle

SHAPE = (8, 12, 3)


def convert_colour_model(folder: Path, *, side: int = 1) -> bytes:
    """Convert the network whose logits are the three channels, each averaged over side×side.

    With a side above 1 it sees zeros beyond its edge, as every convolution does, and 150 is added
    to the logit of blue.
    """
    from kdtasks.core.backend import tf

    kernel = np.zeros((side, side, 3, 3), np.float32)
    for channel in range(3):
        kernel[:, :, channel, channel] = 1 / side**2
    bias = [0.0, 0.0, 150.0 if side > 1 else 0.0]

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, *SHAPE), tf.float32, name="image")])
        def segment_0(self, image: Any) -> dict[str, Any]:
            return {"logits": tf.nn.bias_add(tf.nn.conv2d(image, kernel, 1, "SAME"), bias)}

    network = Network()
    tf.saved_model.save(network, str(folder), signatures={"segment_0": network.segment_0})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["segment_0"])
    return bytes(converter.convert())


def write_colour_bundle(folder: Path, content: bytes, **changes: Any) -> Path:
    """Write a bundle around a converted model, with changes to its manifest."""
    fields: dict[str, Any] = {
        "name": "colours",
        "task": "segmentation",
        "class_names": ("red", "green", "blue"),
        "input": {"shape": list(SHAPE), "dtype": "uint8", "range": [0, 255]},
        "macs": (864,),
    }
    return write_pixel_bundle(folder, content, **(fields | changes))
