"""No code out of a Keras file is ever run."""

import json

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.formats.keras import check_config

FILES = ("tf_keras.keras", "tf_keras.h5", "keras_3.keras", "keras_3.h5")
ADVICE = "which might run code or touch files when loaded; save the teacher without it"


@pytest.mark.parametrize("name", FILES)
def test_a_lambda_layer_never_runs(name, kerases, save_network, import_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    marker = tmp_path / "marker"
    library = kerases["keras_3" if "keras_3" in name else "tf_keras"]
    network = library.Sequential(
        [
            library.Input((8, 8, 3)),
            library.layers.Lambda(lambda x: [__import__("pathlib").Path("marker").touch(), x][1]),
            library.layers.Flatten(),
            library.layers.Dense(4),
        ]
    )
    save_network(network, tmp_path / name)
    marker.unlink()  # building the network made it
    with pytest.raises(TeacherError, match=f"holds the class 'Lambda', {ADVICE}"):
        import_file(tmp_path / name)
    assert not marker.exists()
    assert not (tmp_path / "imported").exists()
    # The danger is real: Keras itself, told to trust the file, runs it.
    library.models.load_model(tmp_path / name, compile=False, safe_mode=False)
    assert marker.exists()


def replaced(layer):
    """Edit a configuration: put another layer in the place of the last."""

    def edit(config):
        config["config"]["layers"][-1] |= layer

    return edit


ATTACKS = [
    ({"module": "os", "class_name": "system", "config": {}}, "the class 'system'"),
    (
        {"module": "builtins", "class_name": "exec", "config": "open('marker', 'w')"},
        "the class 'exec'",
    ),
    ({"module": "keras_evil.layers", "class_name": "Dense"}, "a class of the module 'keras_evil"),
    ({"module": "keras.utils", "class_name": "Dense"}, "a class of the module 'keras.utils'"),
    ({"module": "keras.utils", "class_name": "function", "config": "get_file"}, "the class 'func"),
    ({"module": "keras.layers", "class_name": "TFSMLayer"}, "the class 'TFSMLayer'"),
    ({"module": "keras.layers", "class_name": "core.Lambda"}, r"the class 'core\.Lambda'"),
    ({"class_name": "Evil>Dense"}, "the class 'Evil>Dense'"),
    ({"class_name": ["Dense"]}, r"the class \['Dense'\]"),
    ({"class_name": "Dense", "registered_name": "Lambda"}, "the class 'Lambda'"),
    ({"class_name": "TensorFlowOpLayer", "config": {"node_def": ""}}, "the class 'TensorFlowOp"),
    ({"class_name": "__typespec__", "module": "os", "spec_name": "system"}, "the class '__typesp"),
    ({"config": {"residual_fn_type": "lambda"}}, r"a Python function \(under 'residual_fn_type'"),
    ({"config": {"function_type": "lambda"}}, r"a Python function \(under 'function_type'\)"),
    ({"config": {"vocabulary": "/etc/passwd"}}, "the name of a file, '/etc/passwd', to read"),
    ({"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}, "the TensorFlow fun"),
    ({"class_name": "TFOpLambda", "config": {"function": "castle"}}, "the TensorFlow function 'c"),
]


@pytest.mark.parametrize(("layer", "found"), ATTACKS)
def test_a_configuration_that_reaches_outside_is_refused(layer, found):
    safe = {"class_name": "Functional", "config": {"layers": [{"class_name": "Dense"}, {}]}}
    check_config(safe, source="teacher.keras")
    replaced(layer)(safe)
    with pytest.raises(TeacherError, match=f"teacher.keras holds {found}.*{ADVICE}"):
        check_config(safe, source="teacher.keras")


@pytest.mark.parametrize("name", FILES)
def test_a_forged_file_is_refused(
    name, teacher_file, change_config, import_file, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for number, (layer, found) in enumerate(ATTACKS[:3]):
        target = tmp_path / f"{number}-{name}"
        change_config(teacher_file(name).path, target, replaced(layer))
        with pytest.raises(TeacherError, match=f"holds {found}.*{ADVICE}"):
            import_file(target)
    assert not (tmp_path / "marker").exists()
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("name", FILES[:3])  # Keras 3 cannot load its own `.h5` of these
def test_arithmetic_in_a_functional_network_is_safe(
    name, kerases, save_network, import_file, images, tmp_path
):
    from kdtasks.learn.teachers.teacher import open_teacher

    library = kerases["keras_3" if "keras_3" in name else "tf_keras"]
    image = library.Input((8, 8, 3))
    scaled = 2.0 * image[:, :, :, ::-1] / 255.0 - 1.0
    network = library.Model(
        image, library.layers.Dense(4)(library.layers.GlobalAveragePooling2D()(scaled))
    )
    save_network(network, tmp_path / name)
    logits = open_teacher(import_file(tmp_path / name, input="byte")).logits(images)
    expected = np.asarray(network(images.astype(np.float32)))
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FILES[:2])
def test_a_tensorflow_function_that_writes_is_refused(
    name, kerases, save_network, change_config, import_file, tmp_path
):
    from kdtasks.core.backend import tf

    keras = kerases["tf_keras"]
    image = keras.Input((8, 8, 3))
    averaged = keras.layers.GlobalAveragePooling2D()(tf.math.abs(image))
    save_network(keras.Model(image, keras.layers.Dense(4)(averaged)), tmp_path / name)
    import_file(tmp_path / name)

    def edit(config):
        [layer] = [
            part for part in config["config"]["layers"] if part["class_name"] == "TFOpLambda"
        ]
        assert layer["config"]["function"] == "math.abs"
        layer["config"]["function"] = "io.write_file"

    forged = change_config(tmp_path / name, tmp_path / f"forged-{name}", edit)
    with pytest.raises(TeacherError, match=r"holds the TensorFlow function 'io\.write_file'"):
        import_file(forged)


def own_loss(truth, predicted):
    return predicted[..., 0] - truth[..., 0]


@pytest.mark.parametrize("name", FILES)
def test_a_loss_of_the_users_own_is_no_obstacle(
    name, make_network, save_network, import_file, tmp_path
):
    network = make_network("keras_3" if "keras_3" in name else "tf_keras")
    network.compile(loss=own_loss)
    save_network(network, tmp_path / name)
    assert (import_file(tmp_path / name) / "teacher.json").is_file()


@pytest.fixture
def network_with_a_cell_wrapper(kerases):
    """Make a network whose configuration carries marshalled code that makes `marker`."""
    from tf_keras.src.layers.rnn.cell_wrappers import ResidualWrapper

    keras = kerases["tf_keras"]
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Reshape((8, 24)),
            keras.layers.RNN(
                ResidualWrapper(
                    keras.layers.LSTMCell(24),
                    residual_fn=lambda _, outputs: [
                        __import__("pathlib").Path("marker").touch(),
                        outputs,
                    ][1],
                )
            ),
            keras.layers.Dense(4),
        ]
    )


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """Work in `tmp_path`, where an attack that runs makes the file `marker`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "marker"


def test_a_function_in_a_cell_wrapper_never_runs(
    marker, request, kerases, save_network, import_file, tmp_path
):
    save_network(request.getfixturevalue("network_with_a_cell_wrapper"), tmp_path / "attack.h5")
    marker.unlink()  # building the network made it
    with pytest.raises(TeacherError, match=f"holds the class 'RNN', {ADVICE}"):
        import_file(tmp_path / "attack.h5")
    assert not marker.exists()
    kerases["tf_keras"].models.load_model(tmp_path / "attack.h5", compile=False)
    assert marker.exists()


def test_even_unchecked_code_in_an_h5_never_runs(
    marker, request, save_network, import_file, tmp_path, monkeypatch
):
    save_network(request.getfixturevalue("network_with_a_cell_wrapper"), tmp_path / "attack.h5")
    marker.unlink()
    monkeypatch.setattr("kdtasks.learn.teachers.formats.keras.check_config", lambda *_, **__: None)
    with pytest.raises(TeacherError, match=r"could not be opened .*Python `lambda` inside it"):
        import_file(tmp_path / "attack.h5")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["attack.keras", "attack.KERAS", "attack.Keras"])
def test_a_file_of_two_kinds_is_refused(
    name, marker, request, kerases, teacher_file, save_network, import_file, tmp_path
):
    save_network(request.getfixturevalue("network_with_a_cell_wrapper"), tmp_path / "attack.h5")
    marker.unlink()
    # A reader of zips looks at the end of a file, one of HDF5 at its beginning.
    harmless = teacher_file("tf_keras.keras").path.read_bytes()
    (tmp_path / name).write_bytes((tmp_path / "attack.h5").read_bytes() + harmless)
    with pytest.raises(TeacherError, match=r"is an HDF5 file; give it the ending \.h5"):
        import_file(tmp_path / name)
    assert not marker.exists()
    if name != "attack.keras":
        kerases["tf_keras"].models.load_model(tmp_path / name, compile=False)
        assert marker.exists()


@pytest.mark.parametrize("name", ["TEACHER.KERAS", "teacher.H5", "teacher.hdf5"])
def test_the_spelling_of_the_ending_does_not_matter(name, teacher_file, import_file, tmp_path):
    kind = "tf_keras.keras" if name.endswith("KERAS") else "tf_keras.h5"
    (tmp_path / name).write_bytes(teacher_file(kind).path.read_bytes())
    assert (import_file(tmp_path / name) / "teacher.json").is_file()


@pytest.mark.parametrize("library", ["tf_keras", "keras_3"])
def test_well_known_networks_are_safe(library, kerases):
    applications = kerases[library].applications
    for name in ("ResNet50", "EfficientNetB0", "MobileNetV3Small"):
        network = getattr(applications, name)(weights=None, input_shape=(32, 32, 3), classes=4)
        check_config(json.loads(network.to_json()), source=name)
