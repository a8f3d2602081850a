"""Errors by layer: the table, the layers that are tried, and a remedy that pays."""

from typing import Any

import numpy as np
import pytest

from benchmarks.int8_remedies import agreement
from kdtasks.compress.layer_errors import (
    LayerTrials,
    layers_around,
    signal_to_noise,
    tensor_errors,
)
from kdtasks.compress.number_formats.builtin import Int8
from kdtasks.compress.quantization.quantizer import quantize
from kdtasks.learn.networks.inference import ForwardPass


@pytest.fixture(scope="module")
def trials(wide: Any) -> LayerTrials:
    return LayerTrials(wide.model, Int8(), wide.images)


def test_ratio_is_ten_times_the_logarithm():
    assert signal_to_noise(1000.0, 1.0) == 30.0
    assert signal_to_noise(1.0, 0.0) is None
    assert signal_to_noise(0.0, 1.0) is None


def test_worst_tensor_comes_first_and_every_layer_is_there(trials: LayerTrials):
    ratios = [error.snr for error in trials.errors if error.snr is not None]
    assert ratios == sorted(ratios)
    layers = {error.layer for error in trials.errors}
    assert layers >= {"stem", "wide_0", "mix_0", "wide_1", "mix_1", "logits"}
    kernels = {error.layer for error in trials.errors if error.kernel_snr is not None}
    assert kernels == {"stem", "wide_0", "mix_0", "wide_1", "mix_1", "logits"}


def test_ranges_that_were_seen_are_not_clipped_and_narrower_ones_are(wide: Any):
    for settings, clips in ((Int8(), False), (Int8(ranges="percentile", percentile=90.0), True)):
        content = quantize(wide.calibrated, settings, wide.images)
        errors = tensor_errors(wide.calibrated, content, wide.images)
        assert any(error.clipped > 0 for error in errors) is clips
        for error in errors:
            low, high = error.int8_range
            step = (high - low) / 255
            inside = low - step <= error.range[0] and error.range[1] <= high + step
            assert inside or clips


def test_a_tensor_is_whole_where_its_maker_and_all_takers_are_float(wide: Any, trials: LayerTrials):
    error = next(error for error in trials.errors if error.layer == "wide_0")
    assert layers_around(wide.calibrated, error) == ("wide_0", "mix_0")


def test_float_around_the_worst_tensors_regains_half_of_the_loss(wide: Any, trials: LayerTrials):
    """Two tensors have a wide range, so that two remedies cure them."""
    expected = ForwardPass(wide.model).logits(wide.others)[-1].argmax(-1)
    plain = agreement(trials.file(()), wide.others, expected)
    chosen = trials.chosen(Int8(auto=2))
    kept = agreement(trials.file(chosen), wide.others, expected)
    assert plain < 0.7  # int8 hurts this network
    assert kept - plain >= 0.5 * (1 - plain)


def test_gains_are_measured_on_labelled_images(wide: Any, trials: LayerTrials):
    labels = ForwardPass(wide.model).logits(wide.others)[-1].argmax(-1)
    kept = trials.chosen(Int8(auto=2, keep_float=("logits",)))
    assert kept[0] == "logits"
    found = trials.measured(kept, (wide.others, labels))
    assert found.plain.layers == ()
    assert found.kept is not None
    assert found.kept.accuracy > found.plain.accuracy
    assert found.kept.bytes > found.plain.bytes  # float kernels have four times the bytes
    errors = [row.error for row in found.tried]
    assert errors == sorted(errors)
    assert found.plain.accuracy == agreement(trials.file(()), wide.others, labels)
    assert trials.measured((), (wide.others, labels)).kept is None


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_agrees_with_the_debugger_of_litert(wide: Any):
    """Its float and its int8 network run side by side, so its errors are ours of every tensor.

    It would run them by XNNPACK, whose kernels round otherwise; here it runs the same ones. What
    is left is that it squares and averages in float32.
    """
    from tensorflow.lite.python.convert import mlir_quantize

    from kdtasks.core.backend import tf

    debugged = bytes(
        mlir_quantize(
            wide.calibrated,
            input_data_type=tf.float32,
            output_data_type=tf.float32,
            enable_numeric_verify=True,
            enable_whole_model_verify=True,
        )
    )
    images = [image[np.newaxis].astype(np.float32) for image in wide.images[:5]]
    debugger = tf.lite.experimental.QuantizationDebugger(
        quant_debug_model_content=debugged, debug_dataset=lambda: ([image] for image in images)
    )
    debugger._quant_interpreter = tf.lite.Interpreter(
        model_content=debugged,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=(
            tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        ),
    )
    debugger._quant_interpreter.allocate_tensors()
    debugger.run()
    theirs = {
        name.partition("/")[2].rpartition(":")[0].removesuffix("1"): found["mean_squared_error"]
        for name, found in debugger.layer_statistics.items()
    }
    content = quantize(wide.calibrated, Int8(), wide.images)
    ours = _squared_errors(wide.calibrated, content, wide.images[:5])
    common = theirs.keys() & ours.keys()
    assert len(common) >= 5
    for name in common:
        assert ours[name] == pytest.approx(theirs[name], rel=1e-5)


def _squared_errors(calibrated: bytes, content: bytes, images: np.ndarray) -> dict[str, float]:
    from kdtasks.compress.quantization.trace import Trace

    whole, rounded = Trace(calibrated), Trace(content)
    sums: dict[str, float] = {}
    for image in images:
        expected, found = whole.run(image), rounded.run(image)
        for key in expected.keys() & found.keys():
            error = float(np.square(expected[key] - found[key]).mean()) / len(images)
            sums[key[1]] = sums.get(key[1], 0.0) + error
    return sums
