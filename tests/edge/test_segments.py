from unittest import mock

import numpy as np
import pytest

from kdtasks.core.errors import BundleError
from kdtasks.edge import segments as segments_module
from kdtasks.edge.chain import SignatureChain
from kdtasks.edge.segments import Segments, TensorSpec
from tests.tools.light_bundles import with_operator


def test_float_chain_gives_the_networks_logits(network):
    segments = Segments(network.float32)
    assert (segments.count, segments.input_shape, segments.num_classes) == (3, (6, 5, 1), 4)
    for image in network.images[:10]:
        logits = segments.logits(image)
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, network.logits(image), rtol=1e-4, atol=1e-4)


def test_int8_chain_stays_near_the_float_network(network):
    segments = Segments(network.int8)
    expected = np.stack([network.logits(image) for image in network.images])
    found = segments.logits_of(network.images)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    spread = expected.std(axis=(0, 2))
    assert (np.abs(found - expected).mean(axis=(0, 2)) < 0.05 * spread).all()


def test_path_and_content_open_the_same_model(network, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(network.int8)
    image = network.images[3]
    np.testing.assert_array_equal(
        Segments(path).logits(image), Segments(network.int8, threads=2).logits(image)
    )


def test_steps_run_a_segment_only_when_asked(network):
    segments = Segments(network.float32)
    with mock.patch.object(
        SignatureChain, "run", autospec=True, side_effect=SignatureChain.run
    ) as run:
        steps = segments.steps(network.images[0])
        next(steps)
        assert run.call_count == 1
        next(steps)
        assert run.call_count == 2
    image = network.images[1]
    np.testing.assert_allclose(
        list(segments.steps(image)), network.logits(image), rtol=1e-4, atol=1e-4
    )


def test_results_do_not_change_with_what_ran_before(network):
    segments = Segments(network.int8)
    first = segments.logits(network.images[0])
    kept = first.copy()
    next(segments.steps(network.images[5]))
    segments.logits(network.images[1])
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(segments.logits(network.images[0]), kept)


def test_features_of_other_images_are_refused(network):
    with pytest.raises(
        BundleError,
        match=r"the model do not fit together: `features_0` is given as .* taken by segment_1",
    ):
        Segments(network.int8_mismatched)


@pytest.mark.parametrize("content", [b"", b"no model at all", None])
def test_a_file_that_is_no_model_is_refused(network, content):
    with pytest.raises(BundleError, match=r"is not a readable \.tflite"):
        Segments(network.float32[:200] if content is None else content)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"absent\.tflite is not a readable"):
        Segments(tmp_path / "absent.tflite")


def test_other_signatures_are_refused(network):
    renamed = network.float32.replace(b"segment_1", b"serving_1")
    with pytest.raises(BundleError, match=r"signatures .*serving_1.* were expected"):
        Segments(renamed)


def encoded(spec, image, dtype=np.uint8):
    """What is written into a tensor of the model, int8 as bytes."""
    into = np.full(image.shape, 7, dtype)
    segments_module._encoder(spec)(image, into)
    return into


@pytest.mark.parametrize(
    ("scale", "zero_point"), [(1.0, -128), (0.5, -128), (1.0, 0), (2.0, -100), (0.997, -127)]
)
def test_int8_input_is_quantised_by_scale_and_zero_point(scale, zero_point):
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    expected = np.clip(np.rint(pixels / scale) + zero_point, -128, 127)
    spec = TensorSpec((1, 16, 16, 1), np.dtype(np.int8), scale, zero_point)
    np.testing.assert_array_equal(encoded(spec, pixels).view(np.int8), expected)


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_raw_pixels_are_not_touched(scale):
    spec = TensorSpec((1, 2, 2, 1), np.dtype(np.uint8), scale, 0)
    image = np.array([[[0], [7]], [[200], [255]]], np.uint8)
    np.testing.assert_array_equal(encoded(spec, image), image)


def test_int16_input_is_looked_up():
    spec = TensorSpec((1, 1, 3, 1), np.dtype(np.int16), 255 / 32767, 0)
    numbers = encoded(spec, np.array([[[0], [1], [255]]], np.uint8), np.int16)
    assert numbers.ravel().tolist() == [0, 128, 32767]


def test_an_input_that_is_not_pixels_is_refused():
    spec = TensorSpec((1, 2, 2, 1), np.dtype(np.int32), 0.0, 0)
    with pytest.raises(BundleError, match=r"segment_0 takes image int32 .* was expected"):
        segments_module._encoder(spec)


def test_int8_logits_are_scaled_back():
    decode = segments_module.decoder(TensorSpec((1, 2), np.dtype(np.int8), 0.5, -3))
    np.testing.assert_array_equal(decode(np.array([-3, 5], np.int8)), [0.0, 4.0])


FEATURES = TensorSpec((1, 8), np.dtype(np.int8), 0.1, 3)
LOGITS = TensorSpec((1, 4), np.dtype(np.float32), 0.0, 0)
IMAGE = TensorSpec((1, 6, 5, 1), np.dtype(np.float32), 0.0, 0)


def chain():
    inputs = [{"image": IMAGE}, {"features_0": FEATURES}]
    outputs = [{"logits": LOGITS, "features_0": FEATURES}, {"logits": LOGITS}]
    return inputs, outputs


def check_chain(inputs, outputs):
    for problem in segments_module._problems(inputs, outputs):
        raise BundleError(problem)


def test_scales_may_differ_by_rounding_only():
    inputs, outputs = chain()
    inputs[1]["features_0"] = FEATURES._replace(scale=0.1 * (1 + 1e-7))
    check_chain(inputs, outputs)
    for change in ({"scale": 0.1001}, {"zero_point": 4}, {"dtype": np.dtype(np.float32)}):
        inputs[1]["features_0"] = FEATURES._replace(**change)
        with pytest.raises(BundleError, match="quantise all segments with features of the same"):
            check_chain(inputs, outputs)


def test_segments_that_do_not_fit_are_refused():
    inputs, outputs = chain()
    inputs[1]["features_7"] = FEATURES
    with pytest.raises(BundleError, match=r"takes `features_7`, but .* give \['features_0'\]"):
        check_chain(inputs, outputs)
    inputs, outputs = chain()
    del outputs[1]["logits"]
    with pytest.raises(BundleError, match=r"segment_1 gives \[\], without `logits`"):
        check_chain(inputs, outputs)
    inputs, outputs = chain()
    outputs[1]["logits"] = LOGITS._replace(shape=(1, 5))
    with pytest.raises(BundleError, match="every exit must tell the same classes"):
        check_chain(inputs, outputs)
    inputs, outputs = chain()
    inputs[0] = {"input_1": IMAGE}
    with pytest.raises(BundleError, match="it must take one image"):
        check_chain(inputs, outputs)
    inputs, outputs = chain()
    inputs[0]["image"] = IMAGE._replace(shape=(8, 6, 5, 1))
    with pytest.raises(BundleError, match="use batch size 1"):
        check_chain(inputs, outputs)


@pytest.mark.parametrize("kind", ["WHILE", "IF", "CALL_ONCE", "STABLEHLO_WHILE"])
def test_a_model_that_may_loop_is_refused_before_it_is_opened(network, monkeypatch, kind):
    monkeypatch.delattr(segments_module, "open_interpreter")
    with pytest.raises(BundleError, match=f"the model holds the operator {kind}, so it may never"):
        Segments(with_operator(network.int8, kind))
