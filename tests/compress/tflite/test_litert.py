"""Conversion to LiteRT: the file computes what the network does, and is what was asked for."""

import hashlib

import numpy as np
import pytest

from kdtasks.compress.tflite.graph import signature_types
from kdtasks.core.errors import ExportError
from kdtasks.edge.segments import Segments

ARCHITECTURES = [
    "cnn",
    "resnet8",
    "resnet",
    "mobilenet",
    "two_branch",
    "alexnet",
    pytest.param("unet", marks=pytest.mark.slow),
]


def keras_logits(model, images):
    return np.stack(model.logits(images.astype(np.float32)), axis=1)


def last_exit_only(model):
    """The same network, weights shared, without its early exits."""
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    return MultiExitModel(keras.Model(model.network.inputs, model.network.outputs[-1]))


def signatures(content):
    """Inputs and outputs of every signature, as LiteRT tells them."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    runners = [
        interpreter.get_signature_runner(f"segment_{index}")
        for index in range(len(interpreter.get_signature_list()))
    ]
    return [(runner.get_input_details(), runner.get_output_details()) for runner in runners]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_float32_computes_what_the_network_does(name, network, draw_images, converted):
    from kdtasks.compress.convert import convert

    model = network(name)
    images = draw_images(model, 5)
    segments = Segments(converted(name, "float32"))
    assert segments.count == model.num_exits
    expected, got = keras_logits(model, images), segments.logits_of(images)
    np.testing.assert_allclose(got, expected, atol=1e-4 * max(1, np.abs(expected).max()))

    # Cutting into segments costs no bit.
    plain = Segments(convert(last_exit_only(model), number_format="float32"))
    np.testing.assert_array_equal(plain.logits_of(images)[:, 0], got[:, -1])


@pytest.fixture(params=["digits", "unet"])
def int8_file(request, int8_content, converted) -> bytes:
    return int8_content if request.param == "digits" else converted("unet", "int8")


def test_int8_is_within_its_rounding_of_float(trained, int8_content):
    labels = keras_logits(trained.model, trained.images)[:, -1].argmax(axis=-1)
    assert np.mean(labels == trained.labels) > 0.85  # or agreement would mean nothing
    segments = Segments(int8_content)
    for images, at_most in (
        (trained.representative, 8),  # these set the ranges: nothing inside is cut off
        (trained.images, np.inf),  # a feature of a new image may lie outside its range
    ):
        expected, got = keras_logits(trained.model, images), segments.logits_of(images)
        assert ((got.argmax(axis=-1) == expected.argmax(axis=-1)).mean(axis=0) >= 0.95).all()
        for index, (_, given) in enumerate(signatures(int8_content)):
            scale, zero_point = given["logits"]["quantization"]
            low, high = (np.array([-128, 127]) - zero_point) * scale
            error = np.abs(got[:, index] - np.clip(expected[:, index], low, high)) / scale
            assert error.mean() < 1.5
            assert error.max() < at_most


def test_every_tensor_of_every_int8_signature_is_int8(int8_file):
    found = signatures(int8_file)
    assert len(found) == 2
    for taken, given in found:
        for tensor in [*taken.values(), *given.values()]:
            assert tensor["dtype"] == np.int8
            assert tensor["shape"][0] == 1


def test_int8_features_are_handed_on_as_they_are(int8_file):
    (_, given), (taken, _) = signatures(int8_file)
    assert set(given) == {"logits", *taken}
    for name, tensor in taken.items():
        scale, zero_point = tensor["quantization"]
        assert zero_point == given[name]["quantization"][1]
        assert np.isclose(scale, given[name]["quantization"][0], rtol=1e-5, atol=0)


def test_int8_takes_pixels_less_128(trained, int8_content):
    assert trained.representative.max() < 255
    scale, zero_point = signatures(int8_content)[0][0]["image"]["quantization"]
    assert scale == pytest.approx(1.0, rel=1e-6)
    assert zero_point == -128


@pytest.mark.slow
@pytest.mark.parametrize(("number_format", "bytes_a_weight"), [("float32", 4), ("int8", 1)])
def test_segments_share_their_weights(number_format, bytes_a_weight):
    from kdtasks.compress.convert import convert
    from kdtasks.learn.networks.alexnet import AlexNet
    from kdtasks.learn.networks.build import build

    architecture = AlexNet(width=0.7)
    model = build(
        architecture, input_shape=(32, 32, 3), num_classes=10, exits=["block_1", "block_3"]
    )
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    file = convert(model, number_format=number_format, representative=images)
    plain = convert(last_exit_only(model), number_format=number_format, representative=images)
    heads = sum(model.network.get_layer(f"exit_{index}_logits").count_params() for index in (0, 1))
    # The early heads are weights that the plain model has not; all else is graph, a kB a segment.
    assert len(file) - heads * bytes_a_weight <= 1.02 * len(plain)
    assert len(file) - heads * bytes_a_weight <= len(plain) + 2 * 2000


def test_int8_segments_answer_what_the_plain_int8_model_does(trained, int8_content):
    from kdtasks.compress.convert import convert

    plain = convert(
        last_exit_only(trained.model), number_format="int8", representative=trained.representative
    )
    (scale, zero_point), (chain_scale, chain_zero_point) = (
        signatures(content)[-1][1]["logits"]["quantization"] for content in (plain, int8_content)
    )
    assert zero_point == chain_zero_point
    assert np.isclose(scale, chain_scale, rtol=1e-5, atol=0)
    parity_set = trained.images
    expected = Segments(plain).logits_of(parity_set)[:, 0]
    got = Segments(int8_content).logits_of(parity_set)[:, -1]
    assert np.abs(np.rint((got - expected) / scale)).max() <= 1


def test_features_of_another_scale_are_not_exported(trained, monkeypatch):
    from kdtasks.compress import convert as litert

    def feed_brighter(segments, images):
        for name, tensors in original(segments, images):
            gain = 1.0 if name == "segment_0" else 1.2
            yield name, {key: gain * tensor for key, tensor in tensors.items()}

    original = litert._feed
    monkeypatch.setattr(litert, "_feed", feed_brighter)
    with pytest.raises(ExportError, match=r"do not fit together: `features_0` is given"):
        litert.convert(trained.model, number_format="int8", representative=trained.representative)


@pytest.mark.parametrize("number_format", ["float16", "dynamic_int8"])
def test_weights_shrink_while_inputs_and_outputs_stay_float(number_format, trained):
    from kdtasks.compress.convert import convert

    whole = convert(trained.model, number_format="float32")
    content = convert(trained.model, number_format=number_format)
    assert len(content) < len(whole)
    for taken, given in signatures(content):
        for tensor in [*taken.values(), *given.values()]:
            assert tensor["dtype"] == np.float32


# Builds the network of `test_the_same_network_gives_the_same_bytes` anew and prints its hash.
ANEW = """
import hashlib
import numpy as np
from kdtasks.compress.convert import convert
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN

def content():
    architecture = CNN(filters=(4, 8))
    model = build(architecture, input_shape=(8, 8, 1), num_classes=4, exits=["block_1"])
    generator = np.random.default_rng(0)
    for variable in model.network.weights:
        variable.assign(generator.uniform(0.1, 0.5, variable.shape))
    images = generator.integers(0, 256, (8, 8, 8, 1), np.uint8)
    return convert(model, number_format="int8", representative=images)

if __name__ == "__main__":
    print(hashlib.sha256(content()).hexdigest())
"""


@pytest.mark.slow
def test_the_same_network_gives_the_same_bytes(tmp_path, run_warm):
    definitions: dict = {"__name__": "anew"}
    exec(ANEW, definitions)
    content = definitions["content"]()
    assert definitions["content"]() == content
    result = run_warm(tmp_path, ANEW)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("representative", [None, np.zeros((0, 8, 8, 1), np.uint8)])
def test_int8_needs_images(representative, trained):
    from kdtasks.compress.convert import convert

    with pytest.raises(
        ExportError, match="int8 needs representative images to set its ranges, got none"
    ):
        convert(trained.model, number_format="int8", representative=representative)


def test_a_layer_that_litert_does_not_know_is_an_export_error(capfd):
    from kdtasks.compress.convert import convert
    from kdtasks.core.backend import keras, tf
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    image = keras.Input((4, 4, 1), name="image")
    squares = tf.linalg.matmul(image[..., 0], image[..., 0], transpose_b=True)
    model = MultiExitModel(keras.Model(image, tf.linalg.cholesky(squares)))
    with pytest.raises(ExportError, match=r"converter cannot make float32 .*Cholesky"):
        convert(model, number_format="float32")
    assert "Cholesky" not in capfd.readouterr().err


def test_a_file_of_other_numbers_than_asked_for_is_refused(int8_content):
    from kdtasks.compress.convert import _check_types

    _check_types(int8_content, "int8", image="int8")
    with pytest.raises(ExportError, match="of segment_0 was converted to int8, expected float32"):
        _check_types(int8_content, "float32", image="float32")


def test_int16x8_has_int8_weights_and_int16_tensors(trained, int8_content):
    from kdtasks.compress.convert import convert

    content = convert(trained.model, number_format="int16x8", representative=trained.representative)
    for tensors in signature_types(content).values():
        assert set(tensors.values()) == {"int16"}
    assert len(content) < 1.2 * len(int8_content)
    expected = keras_logits(trained.model, trained.representative)
    errors = [
        np.abs(Segments(file).logits_of(trained.representative) - expected).mean()
        for file in (content, int8_content)
    ]
    assert errors[0] < errors[1]  # finer activations


@pytest.mark.parametrize("number_format", ["float32", "int8"])
def test_raw_pixels_go_straight_in(number_format, trained, int8_content):
    from kdtasks.compress.convert import convert

    content = convert(
        trained.model,
        number_format=number_format,
        representative=trained.representative,
        raw_pixels=True,
    )
    tensors = signature_types(content)
    assert tensors["segment_0"].pop("image") == "uint8"
    inner = "uint8" if number_format == "int8" else "float32"
    assert {kind for given in tensors.values() for kind in given.values()} == {inner}
    segments = Segments(content)
    segments.begin(trained.images[0])
    np.testing.assert_array_equal(segments._chain.image, trained.images[0])
    if number_format == "int8":
        expected = Segments(int8_content).logits_of(trained.images[:50])
    else:
        expected = keras_logits(trained.model, trained.images[:50])
    np.testing.assert_allclose(segments.logits_of(trained.images[:50]), expected, atol=1e-4)


def test_int16x8_takes_no_raw_pixels(trained):
    from kdtasks.compress.convert import convert

    with pytest.raises(ExportError, match=r"cannot take uint8 images.*; use .* one of .*, int8$"):
        convert(
            trained.model,
            number_format="int16x8",
            representative=trained.representative,
            raw_pixels=True,
        )
