"""Keras files of other versions, and under other names, open as what they are."""

import json

import numpy as np
import pytest

from kdtasks.core.errors import ModelError, TeacherError
from kdtasks.learn.networks.keras_files import kind_of, with_current_names, without_unknown_keys

FILES = ("tf_keras.keras", "tf_keras.h5", "keras_3.keras", "keras_3.h5")


def each_layer(change):
    """Edit a configuration: change every layer of a network."""

    def edit(config):
        for layer in config["config"]["layers"]:
            change(layer)

    return edit


def answers(import_file, path, images):
    from kdtasks.learn.teachers.teacher import open_teacher

    return open_teacher(import_file(path, input="unit")).logits(images)


@pytest.mark.parametrize("name", FILES)
def test_keys_of_a_newer_keras_that_say_nothing_are_left_out(
    name, teacher_file, change_config, import_file, images, tmp_path
):
    def add(layer):
        layer["config"] |= {"quantization_of_tomorrow": None, "is_sharded": False, "hooks": []}

    whole = teacher_file(name)
    changed = change_config(whole.path, tmp_path / name, each_layer(add))
    np.testing.assert_allclose(
        answers(import_file, changed, images), whole.outputs, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("name", FILES)
def test_a_key_that_says_something_is_named(
    name, teacher_file, change_config, import_file, tmp_path
):
    def add(layer):
        if layer["class_name"] == "Dense":
            layer["config"]["quantization_config"] = {"mode": "of tomorrow"}
            layer["config"]["mode_of_tomorrow"] = 3

    changed = change_config(teacher_file(name).path, tmp_path / name, each_layer(add))
    with pytest.raises(TeacherError, match=r"\(Dense\) has the key '(mode_of|quantization_config)"):
        import_file(changed)
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("name", FILES)
def test_batch_normalisation_of_the_first_version_opens(
    name, teacher_file, change_config, import_file, images, tmp_path
):
    seen = []

    def rename(layer):
        if layer["class_name"] == "BatchNormalization":
            seen.append(layer["config"]["axis"])
            layer["class_name"] = "BatchNormalizationV1"
            layer["config"]["axis"] = [3]
            if "registered_name" in layer:
                layer["registered_name"] = "BatchNormalizationV1"

    whole = teacher_file(name)
    changed = change_config(whole.path, tmp_path / name, each_layer(rename))
    assert seen, "the network of the test has no batch normalisation"
    np.testing.assert_allclose(
        answers(import_file, changed, images), whole.outputs, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("tf_keras.keras", "teacher.h5"),
        ("keras_3.keras", "teacher.hdf5"),
        ("tf_keras.h5", "teacher.keras"),
        ("keras_3.h5", "teacher.keras"),
        ("keras_3.h5", "teacher"),
        ("any_batch.tflite", "teacher.h5"),
    ],
)
def test_the_bytes_say_what_a_file_is(name, wrong, teacher_file, import_file, images, tmp_path):
    whole = teacher_file(name)
    (tmp_path / wrong).write_bytes(whole.path.read_bytes())
    np.testing.assert_allclose(
        answers(import_file, tmp_path / wrong, images), whole.outputs, rtol=1e-4, atol=1e-4
    )


def test_other_bytes_say_nothing(tmp_path):
    (tmp_path / "archive.keras").write_bytes(b"PK\x03\x04 and no more")
    np.savez(tmp_path / "arrays.npz", one=np.ones(3))
    for path in (tmp_path / "archive.keras", tmp_path / "arrays.npz", tmp_path, tmp_path / "none"):
        assert kind_of(path) is None


def test_names_of_today_are_left_alone(kerases):
    network = kerases["tf_keras"].Sequential([kerases["tf_keras"].layers.BatchNormalization()])
    network.build((None, 4))
    config = json.loads(network.to_json())
    assert with_current_names(config) == config


@pytest.mark.parametrize("library", ["tf_keras", "keras_3"])
def test_nothing_is_left_out_of_a_file_of_today(library, kerases):
    keras = kerases[library]
    network = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35)
    text = network.to_json().replace('"axis": [3]', '"axis": 3')  # Keras 2 puts one into a list
    config = json.loads(text)
    assert without_unknown_keys(config, keras, source="today") == config


def test_an_initialiser_is_no_layer_of_the_same_name(kerases):
    keras = kerases["tf_keras"]
    dense = keras.layers.Dense(2, kernel_initializer="identity", name="one")
    config = {"class_name": "Dense", "config": dense.get_config()}
    found = without_unknown_keys(config, keras, source="here")
    assert found["config"]["kernel_initializer"]["config"] == {"gain": 1.0}
    config["config"]["gain"] = 2.0
    with pytest.raises(ModelError, match=r"here: the layer 'one' \(Dense\) has the key 'gain' \(2"):
        without_unknown_keys(config, keras, source="here")
