"""Convert a network with exits to one LiteRT file, a signature a segment."""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.compress.tflite.editing import pack
from kdtasks.compress.tflite.graph import signature_types
from kdtasks.core.backend import tf
from kdtasks.core.errors import BundleError, ExportError
from kdtasks.edge.segments import Segments
from kdtasks.learn.networks.multi_exit import MultiExitModel, Segment

# Numbers that inputs and outputs of a file have by themselves.
_NUMBERS = {
    "float32": "float32",
    "float16": "float32",
    "dynamic_int8": "float32",
    "int8": "int8",
    "int16x8": "int16",
}


def convert(
    model: MultiExitModel,
    *,
    number_format: str,
    representative: np.ndarray | None = None,
    raw_pixels: bool = False,
) -> bytes:
    """Convert to one `.tflite` with the signatures `segment_0` … `segment_{K−1}`, batch 1.

    The segments share their weights in the file. `segment_0` takes `image`, raw pixels 0…255;
    every signature gives `logits` and the features that later ones take.

    Arguments:
        number_format: `float32`, `float16` (weights), `dynamic_int8` (weights), `int8` (all
            weights and activations, inputs and outputs), `int16x8` (int8 weights, int16
            activations, inputs and outputs).
        representative: uint8 [N, height, width, channels], pictures that set the ranges of
            `int8` and `int16x8`; from the calibration split, never from test.
        raw_pixels: `image` is uint8, the pixels themselves. Of `int8` the other inputs and the
            outputs are then uint8 as well: LiteRT has one type for all.

    Raises:
        ExportError: the format needs pictures that were not given or cannot take raw pixels, the
            converter does not know a layer, the converted file is not of the numbers asked for, or
            a segment takes a feature at another scale than the one before gives it.
    """
    ranged = number_format in ("int8", "int16x8")
    if ranged and (representative is None or not len(representative)):
        raise ExportError(f"{number_format} needs calibration pictures to set its ranges, got none")
    if raw_pixels and number_format == "int16x8":
        raise ExportError(
            "int16x8 cannot take uint8 pictures, LiteRT has no such conversion; use compress.input "
            "native, or int8"
        )
    # The converter turns quantised inputs into uint8 itself; elsewhere the file casts the picture.
    casts = raw_pixels and not ranged
    numbers = "uint8" if raw_pixels and ranged else _NUMBERS[number_format]
    segments = model.segments()
    with tempfile.TemporaryDirectory() as folder, _quiet():
        module = tf.Module()
        module.network = model.network  # owns the variables
        signatures = {
            f"segment_{index}": _signature(segment, tf.uint8 if casts else tf.float32)
            for index, segment in enumerate(segments)
        }
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(signatures)
        )
        if number_format != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if number_format == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if representative is not None and ranged:
            converter.representative_dataset = lambda: _feed(segments, representative)
            operations = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
            if number_format == "int16x8":
                operations = (
                    tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
                )
            converter.target_spec.supported_ops = [operations]
            converter.inference_input_type = tf.as_dtype(numbers)
            converter.inference_output_type = tf.as_dtype(numbers)
        try:
            converted = bytes(converter.convert())
        except Exception as error:  # its own classes and several of Python's
            reason = " ".join(str(error).split())[:300]
            raise ExportError(
                f"LiteRT's converter cannot make {number_format} of this network ({reason}); use "
                "another number format or network"
            ) from error
    content = pack(converted)
    _check_types(content, numbers, image="uint8" if raw_pixels else numbers)
    _check_chain(content)
    return content


def _signature(segment: Segment, image_type: Any) -> Any:
    specifications = {
        name: tf.TensorSpec(
            (1, *tensor.shape[1:]), image_type if name == "image" else tf.float32, name=name
        )
        for name, tensor in zip(segment.takes, segment.model.inputs, strict=True)
    }

    @tf.function
    def run(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        taken = [tf.cast(tensors[name], tf.float32) for name in segment.takes]
        outputs = segment.model(taken, training=False)
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        return dict(zip(["logits", *segment.gives], outputs, strict=True))

    return run.get_concrete_function(**specifications)


def _feed(
    segments: list[Segment], images: np.ndarray
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Feed every signature from the same pictures, with the features of the float network.

    The converter then finds equal ranges for the output of a segment and the input of the next, so
    that the device hands tensors on as they are. Black and white are put among the pixels, so that
    the input's scale is 1 and the device takes pixels less 128, whatever the pictures.
    """
    images = np.array(images)
    images.flat[0], images.flat[-1] = 0, 255
    for image in images:
        tensors = {"image": image[np.newaxis].astype(np.float32)}
        for index, segment in enumerate(segments):
            taken = {name: tensors[name] for name in segment.takes}
            yield f"segment_{index}", taken
            outputs = segment.model(list(taken.values()), training=False)
            outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
            given = zip(segment.gives, outputs[1:], strict=True)
            tensors |= {name: tensor.numpy() for name, tensor in given}


def _check_types(content: bytes, expected: str, *, image: str) -> None:
    """Look at every tensor of every signature: the converter leaves some float without a word."""
    for signature, tensors in signature_types(content).items():
        for tensor, found in tensors.items():
            wanted = image if tensor == "image" else expected
            if found != wanted:
                raise ExportError(
                    f"tensor {tensor!r} of {signature} was converted to {found}, expected "
                    f"{wanted}; the network has an operation that this number format does not know"
                )


def _check_chain(content: bytes) -> None:
    """Open the file as a device does, which hands every feature on as it is."""
    try:
        Segments(content)
    except BundleError as error:
        raise ExportError(f"the converted segments do not fit together: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter's chatter off the terminal; errors still come as exceptions."""
    saved = os.dup(2)
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        warnings.catch_warnings(action="ignore"),
    ):
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
