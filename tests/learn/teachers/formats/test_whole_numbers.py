"""LiteRT files in whole numbers, with free batches, and with operations that LiteRT lacks."""

import warnings

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError


@pytest.fixture(scope="module")
def quantized(make_network, images):
    """Give a function that makes the file of a network with inputs and outputs of a type."""
    from kdtasks.core.backend import tf

    def make(kind):
        network = make_network("tf_keras", scale=0.2)
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32) / 255] for image in images
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = kind
        with warnings.catch_warnings(action="ignore"):
            return network, converter.convert()

    return make


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_a_file_in_whole_numbers_answers_as_its_network(
    kind, quantized, import_file, images, tmp_path
):
    from kdtasks.core.backend import tf
    from kdtasks.learn.teachers.teacher import open_teacher

    network, content = quantized(getattr(tf, kind))
    (tmp_path / "whole.tflite").write_bytes(content)
    logits = open_teacher(import_file(tmp_path / "whole.tflite", input="unit")).logits(images)
    expected = network(images.astype(np.float32) / 255).numpy()
    # int8 of this network is off by a step or two of its outputs' scale, a wrong scale by far more.
    assert np.sqrt(((logits - expected) ** 2).mean()) < 0.1 * expected.std()


def test_a_network_that_reshapes_to_one_image_is_asked_one_by_one(import_file, images, tmp_path):
    from kdtasks.core.backend import tf
    from kdtasks.learn.teachers.teacher import open_teacher

    kernel = np.random.default_rng(0).normal(size=(192, 4)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), name="image")])
    def run(image):
        return tf.reshape(image, (1, 192)) @ kernel

    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()])
    (tmp_path / "one.tflite").write_bytes(converter.convert())
    logits = open_teacher(import_file(tmp_path / "one.tflite", input="unit")).logits(images)
    expected = (images.reshape(len(images), -1) / 255) @ kernel
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3)


def test_a_select_operation_is_named(import_file, tmp_path):
    from kdtasks.core.backend import tf

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), name="image")])
    def run(image):
        return tf.reduce_mean(tf.linalg.inv(tf.transpose(image, (0, 3, 1, 2))), (2, 3)) @ tf.ones(
            (3, 4)
        )

    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()])
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    (tmp_path / "select.tflite").write_bytes(converter.convert())
    message = r"needs the TensorFlow operation MatrixInverse \(a select operation\), which LiteRT"
    with pytest.raises(TeacherError, match=message):
        import_file(tmp_path / "select.tflite")


def test_a_custom_operation_is_named(import_file, tmp_path):
    from kdtasks.core.backend import tf

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), name="image")])
    def run(image):
        return tf.reduce_mean(tf.linalg.inv(tf.transpose(image, (0, 3, 1, 2))), (2, 3)) @ tf.ones(
            (3, 4)
        )

    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()])
    converter.allow_custom_ops = True
    (tmp_path / "custom.tflite").write_bytes(converter.convert())
    with pytest.raises(
        TeacherError, match="needs the custom operation MatrixInverse, which LiteRT does"
    ):
        import_file(tmp_path / "custom.tflite")


def test_an_operation_that_cannot_be_prepared_is_told_in_a_sentence(
    import_file, quantized, tmp_path
):
    from kdtasks.compress.tflite.editing import write_model
    from kdtasks.compress.tflite.graph import read_model
    from kdtasks.core.backend import tf

    _, content = quantized(tf.float32)
    model = read_model(content)
    # A number type that no kernel takes for a kernel.
    for operator in model.subgraphs[0].operators:
        if len(operator.inputs) > 2:
            model.subgraphs[0].tensors[operator.inputs[1]].type = 6  # bool
    (tmp_path / "odd.tflite").write_bytes(write_model(model))
    message = r"needs an operation that it cannot prepare \(.*\), which LiteRT does not have here"
    with pytest.raises(TeacherError, match=message):
        import_file(tmp_path / "odd.tflite")


def test_whole_numbers_without_a_scale_are_refused(import_file, tmp_path):
    from kdtasks.core.backend import tf

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.int8, name="image")])
    def run(image):
        return tf.reduce_mean(tf.cast(image, tf.float32), (1, 2)) @ tf.ones((3, 4))

    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()])
    (tmp_path / "bare.tflite").write_bytes(converter.convert())
    with pytest.raises(TeacherError, match="is int8, without a scale that says what its numbers"):
        import_file(tmp_path / "bare.tflite")
