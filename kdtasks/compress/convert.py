"""Convert a network with exits to one LiteRT file, a signature a segment."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from kdtasks.compress.number_formats import NumberFormat, number_formats
from kdtasks.compress.number_formats.builtin import Int8
from kdtasks.compress.quantization.quantizer import install
from kdtasks.compress.tflite.editing import deduplicate_tables
from kdtasks.compress.tflite.graph import signature_types
from kdtasks.core.backend import tf
from kdtasks.core.errors import BundleError, ExportError, explained
from kdtasks.core.events import span
from kdtasks.core.stderr import held_stderr
from kdtasks.edge.segments import Segments
from kdtasks.learn.networks.multi_exit import MultiExitModel, Segment


@span("conversion")
def convert(
    model: MultiExitModel,
    *,
    number_format: str,
    representative: np.ndarray | None = None,
    raw_pixels: bool = False,
    settings: NumberFormat | None = None,
) -> bytes:
    """Convert to one `.tflite` with the signatures `segment_0` … `segment_{K−1}`, batch 1.

    The segments share their weights in the file. `segment_0` takes `image`, raw pixels 0…255;
    every signature gives `logits` and the features that later ones take.

    Args:
        number_format: name of one, as of `number_formats`.
        representative: uint8 [N, height, width, channels], images that set the ranges of some
            number formats; from the calibration split, never from test.
        raw_pixels: `image` is uint8, the pixels themselves.
        settings: of the number format; None for its defaults.

    Raises:
        ExportError: the format needs images that were not given or cannot take raw pixels, the
            converter does not know a layer, the converted file is not of the numbers asked for, or
            a segment takes a feature at another scale than the one before gives it.
    """
    item = settings or number_formats[number_format]()
    if item.needs_images and (representative is None or not len(representative)):
        raise ExportError(
            f"{number_format} needs representative images to set its ranges, got none"
        )
    dtype = item.raw_dtype if raw_pixels else item.dtype
    if dtype is None:
        able = ", ".join(
            number_format.name for number_format in number_formats if number_format.raw_dtype
        )
        raise ExportError(
            f"{number_format} cannot take uint8 images, LiteRT has no such conversion; use "
            f"compress.input native, or one of {able}"
        )
    # Where the other inputs are no uint8, the file casts the image; elsewhere LiteRT converts it.
    casts = raw_pixels and dtype != "uint8"
    with _converter(model, item, representative, pixels=tf.uint8 if casts else tf.float32) as it:
        it.inference_input_type = it.inference_output_type = tf.as_dtype(dtype)
        converted = bytes(it.convert())
    content = deduplicate_tables(converted)
    _check_types(content, dtype, image="uint8" if raw_pixels else dtype)
    problem = "the converted file is no chain of segments"
    with explained(ExportError, problem, "use another number format or network", BundleError):
        Segments(content)  # opens it as a device does, which hands every feature on as it is
    return content


def calibrate(model: MultiExitModel, representative: np.ndarray) -> bytes:
    """Convert to float32 with the range of every tensor in the file: what int8 is made from."""
    with _converter(model, number_formats["int8"](), representative, pixels=tf.float32) as it:
        it._experimental_calibrate_only = True
        return bytes(it.convert())


@contextmanager
def _converter(
    model: MultiExitModel, item: NumberFormat, representative: np.ndarray | None, *, pixels: Any
) -> Iterator[Any]:
    """Give a converter of a network whose image is of type `pixels`."""
    segments = model.segments()
    problem = f"LiteRT's converter cannot make {item.name} of this network"
    with (
        tempfile.TemporaryDirectory() as folder,
        held_stderr(),  # the converter's chatter; its errors come as exceptions
        warnings.catch_warnings(action="ignore"),
    ):
        module = tf.Module()
        # The variables alone: of a Keras model `save` would trace every layer a few times more.
        module.network = model.network.weights
        signatures = {
            f"segment_{index}": _signature(segment, pixels)
            for index, segment in enumerate(segments)
        }
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(signatures)
        )
        feed = None if representative is None else partial(_feed, segments, representative)
        item.configure(converter, feed)
        if isinstance(item, Int8) and not item.is_plain:
            install(converter, item, feed)
        # Exception: its own classes and several of Python's.
        with explained(ExportError, problem, "use another number format or network", Exception):
            yield converter


def _signature(segment: Segment, image_type: Any) -> Any:
    specifications = {
        name: tf.TensorSpec(
            (1, *tensor.shape[1:]), image_type if name == "image" else tf.float32, name=name
        )
        for name, tensor in zip(segment.takes, segment.model.inputs, strict=True)
    }

    @tf.function(autograph=False)
    def run(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        taken = [tf.cast(tensors[name], tf.float32) for name in segment.takes]
        outputs = tf.nest.flatten(segment.model(taken, training=False))
        return dict(zip(["logits", *segment.gives], outputs, strict=True))

    return run.get_concrete_function(**specifications)


def _feed(
    segments: list[Segment], images: np.ndarray
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Feed every signature from the same images, with the features of the float network.

    The converter then finds equal ranges for the output of a segment and the input of the next, so
    that the device hands tensors on as they are. Black and white are put among the pixels, so that
    the input's scale is 1 and the device takes pixels less 128, whatever the images.
    """
    images = np.array(images)
    images.flat[0], images.flat[-1] = 0, 255
    # Of segments that later ones take features of: the last is never run.
    signatures = {
        index: _signature(segment, tf.float32)
        for index, segment in enumerate(segments)
        if segment.gives
    }
    for image in images:
        tensors = {"image": image[np.newaxis].astype(np.float32)}
        for index, segment in enumerate(segments):
            taken = {name: tensors[name] for name in segment.takes}
            yield f"segment_{index}", taken
            if index in signatures:
                inputs = {name: tf.constant(array) for name, array in taken.items()}
                with unfused():
                    given = signatures[index](**inputs)
                tensors |= {name: given[name].numpy() for name in segment.gives}


@contextmanager
def unfused() -> Iterator[None]:
    """Run compiled functions operation by operation: fused, they round, and so set ranges, anew."""
    options = tf.config.optimizer
    before = options.get_experimental_options()
    options.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        options.set_experimental_options({"disable_meta_optimizer": False, **before})


def _check_types(content: bytes, expected: str, *, image: str) -> None:
    """Look at every tensor of every signature: the converter leaves some float without a word."""
    for signature, tensors in signature_types(content).items():
        for tensor, found in tensors.items():
            target = image if tensor == "image" else expected
            if found != target:
                raise ExportError(
                    f"tensor {tensor!r} of {signature} was converted to {found}, expected "
                    f"{target}; the network has an operation that this number format does not know"
                )
