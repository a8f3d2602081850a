"""Teachers from files: their logits, their input range, and what is refused."""

import os
import sys

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError

KINDS = (
    "tf_keras.keras",
    "tf_keras.h5",
    "tf_keras_saved_model",
    "batch_of_3_saved_model",
    "keras_3.keras",
    "keras_3.h5",
    "keras_3_export",
    "any_batch.tflite",
    "batch_of_1.tflite",
)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def assert_same_logits(got: np.ndarray, expected: np.ndarray) -> None:
    """Let sums of float32 in another order differ, which grows with the largest of them."""
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def assert_same_probabilities(got: np.ndarray, expected: np.ndarray) -> None:
    """Compare as shares: an error of 1e-5 in a logit makes so large a share of its probability."""
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("ending", ["logits", "probabilities"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_imported_teacher_gives_the_logits_of_the_original(
    kind, ending, teacher_file, import_file, description, images
):
    from kdtasks.learn.teachers.teacher import open_teacher

    original = teacher_file(kind, ending)
    folder = import_file(original.path, input="unit")
    teacher = open_teacher(folder, batch_size=16)
    logits = teacher.logits(images)
    assert logits.dtype == np.float32
    parameters = None if kind.endswith(".tflite") else original.parameters
    assert description(folder) == {
        "file": f"teacher{original.path.suffix}" if original.path.is_file() else "saved_model",
        "input": {"scaling": "unit", "layout": "rgb"},
        "output": ending,
        "columns": [0, 1, 2, 3],
        "parameters": parameters,
    }
    assert (teacher.parameters, teacher.macs) == (parameters, None)
    if ending == "logits":
        assert_same_logits(logits, original.outputs)
    else:
        assert original.outputs.max() > 0.9  # sharp, or softening twice would hardly show
        assert_same_probabilities(softmax(logits), original.outputs)


def test_probabilities_declared_as_logits_are_left_alone(teacher_file, import_file, images):
    from kdtasks.learn.teachers.teacher import open_teacher

    original = teacher_file("tf_keras.keras", "probabilities")
    folder = import_file(original.path, input="unit", output="logits")
    assert_same_probabilities(open_teacher(folder).logits(images), original.outputs)


def test_keras_3_works_beside_tf_keras_and_pruning(kerases, teacher_file, import_file, images):
    from kdtasks.learn.teachers.teacher import open_teacher

    assert os.environ["TF_USE_LEGACY_KERAS"] == "1"
    assert {"tf_keras", "tensorflow_model_optimization"} <= sys.modules.keys()
    assert kerases["keras_3"].__version__.startswith("3.")
    original = teacher_file("keras_3.keras")
    logits = open_teacher(import_file(original.path, input="unit")).logits(images)
    assert_same_logits(logits, original.outputs)


# Scale and offset from raw pixels to each range.
RANGES = {"byte": (1.0, 0.0), "unit": (1 / 255, 0.0), "symmetric": (1 / 127.5, -1.0)}
LEVELS = np.array([32.0, 96.0, 160.0, 224.0])


def brightness(input_range: str) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a linear layer whose greatest output is the nearest of four levels of grey.

    −(x − level)² less the part that all levels share is 2·level·x − level².
    """
    scale, offset = RANGES[input_range]
    levels = LEVELS * scale + offset
    return 2 * levels, -(levels**2)


@pytest.fixture
def greys() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 4, 60)
    noise = generator.integers(-30, 31, (60, 8, 8, 3))
    return (LEVELS[labels, None, None, None] + noise).astype(np.uint8), labels.astype(np.int32)


@pytest.mark.parametrize("input_range", RANGES)
def test_auto_finds_the_range_of_the_images(
    input_range, kerases, greys, import_file, description, tmp_path, capsys
):
    keras = kerases["tf_keras"]
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    kernel, bias = brightness(input_range)
    network.set_weights([np.tile(kernel / 192, (192, 1)), bias])
    network.save(tmp_path / "grey.keras")
    images, labels = greys
    folder = import_file(tmp_path / "grey.keras", images=images, labels=labels, input="auto")
    assert description(folder)["input"] == {"scaling": input_range, "layout": "rgb"}
    printed = capsys.readouterr().out
    assert f"teacher input: {input_range}; validation cross-entropy by preprocessing: " in printed
    assert " (100.0% right)" in printed
    assert "teacher output: logits" in printed


@pytest.fixture
def mask_teacher(kerases, tmp_path):
    """Give a function that saves a network that tells the grey of every pixel."""
    keras = kerases["tf_keras"]

    def save(strides: int = 1):
        network = keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 1, strides=strides)]
        )
        kernel, bias = brightness("unit")
        network.set_weights([np.tile(kernel / 3, (1, 1, 3, 1)), bias])
        network.save(tmp_path / "masks.keras")
        return tmp_path / "masks.keras"

    return save


def test_a_teacher_of_masks_is_judged_on_labelled_pixels(mask_teacher, import_file, capsys):
    from kdtasks.learn.teachers.teacher import open_teacher

    labels = np.random.default_rng(3).integers(0, 4, (12, 8, 8)).astype(np.uint8)
    images = np.repeat(LEVELS[labels].astype(np.uint8)[..., None], 3, axis=-1)
    labels[:, :4] = 255
    folder = import_file(
        mask_teacher(), images=images, labels=labels, ignore_label=255, input="auto"
    )
    assert "teacher input: unit;" in capsys.readouterr().out
    logits = open_teacher(folder).logits(images)
    assert logits.shape == (12, 8, 8, 4)
    assert (logits.argmax(axis=-1) == labels)[:, 4:].all()


def test_masks_of_another_size_are_refused(mask_teacher, import_file):
    with pytest.raises(TeacherError, match="has outputs 4×4×4, the dataset has 8×8×4"):
        import_file(mask_teacher(strides=2), labels=np.zeros((40, 8, 8), np.uint8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"images": np.zeros((40, 10, 10, 3), np.uint8)},
            r"takes images of 8×8×3, and gets 10×10×3; .* paste `input: {size: \[8, 8\], channels",
        ),
        (
            {"images": np.zeros((40, 8, 8, 1), np.uint8)},
            "takes images of 8×8×3, and gets 8×8×1",
        ),
        (
            {"num_classes": 5},
            r"has 4 outputs, the dataset 5 classes \(0, 1, 2, 3, 4\)\. It has to k",
        ),
        ({"output": "probabilities"}, r"reach from -.* are of 0…1; set `teacher\.output: logits`"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(
    change, message, teacher_file, import_file, tmp_path
):
    with pytest.raises(TeacherError, match=message):
        import_file(teacher_file("keras_3.keras").path, **change)
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_outputs_that_are_not_finite_are_refused(
    number, make_network, save_network, import_file, tmp_path
):
    network = make_network("tf_keras")
    network.layers[-1].bias.assign([0, 0, 0, number])
    save_network(network, tmp_path / "tf_keras.keras")
    with pytest.raises(TeacherError, match="numbers that are not finite; look at its weights"):
        import_file(tmp_path / "tf_keras.keras")
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("how", ["auto", "unit"])
def test_a_teacher_that_only_guesses_is_refused(how, mask_teacher, import_file, tmp_path):
    labels = np.random.default_rng(3).choice(4, (12, 8, 8), p=[0.4, 0.2, 0.2, 0.2])
    images = np.repeat(LEVELS[labels].astype(np.uint8)[..., None], 3, axis=-1)
    others = np.random.default_rng(4).permutation(labels.ravel()).reshape(labels.shape)
    with pytest.raises(TeacherError, match="always predicting the most common class 41"):
        import_file(mask_teacher(), images=images, labels=others, input=how)
    assert not (tmp_path / "imported").exists()


def test_masks_in_another_order_are_told_from_masks_that_are_guessed(mask_teacher, import_file):
    labels = np.random.default_rng(3).choice(4, (12, 8, 8), p=[0.4, 0.2, 0.2, 0.2])
    images = np.repeat(LEVELS[labels].astype(np.uint8)[..., None], 3, axis=-1)
    told = {"images": images, "labels": (labels + 1) % 4, "input": "unit"}
    with pytest.raises(TeacherError, match=r'paste `classes: \["1", "2", "3", "0"\]`'):
        import_file(mask_teacher(), **told)
    import_file(mask_teacher(), **told, classes=["1", "2", "3", "0"])


def test_so_few_images_that_guessing_cannot_be_told_must_not_be_below_it(mask_teacher, import_file):
    """Of two images, one of each class, not even both right are three standard errors above."""
    images = np.full((2, 8, 8, 3), 32, np.uint8)
    labels = np.zeros((2, 8, 8), np.uint8)
    import_file(mask_teacher(), images=images, labels=labels, input="unit")
    with pytest.raises(TeacherError, match=r"gets 0\.0% of the validation split right"):
        import_file(mask_teacher(), images=images, labels=labels + 1, input="unit")
    labels = (np.arange(64, dtype=np.uint8) >= 51).astype(np.uint8).reshape(1, 8, 8)
    answers = np.where(np.arange(64).reshape(1, 8, 8) < 10, 1, labels)  # 54 of 64 right
    images = np.repeat(LEVELS[answers].astype(np.uint8)[..., None], 3, axis=-1)
    with pytest.raises(
        TeacherError, match=r"gets 84\.4% .* 79\.7%, .*; 1 image would be too few even"
    ):
        import_file(mask_teacher(), images=images, labels=labels, input="unit")


def test_open_teacher_needs_what_the_stage_writes(tmp_path):
    from kdtasks.learn.teachers.teacher import open_teacher

    with pytest.raises(TeacherError, match="holds no teacher; run `dvc repro teacher`"):
        open_teacher(tmp_path)


def test_a_folder_with_one_network_is_that_network(teacher_file, import_file, tmp_path, images):
    """As `models/import`, which `teacher.path` is where nothing else is said."""
    from kdtasks.learn.teachers.teacher import open_teacher

    original = teacher_file("tf_keras.keras")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / ".gitkeep").touch()
    with pytest.raises(TeacherError, match=r"given is of no known format; give one of"):
        import_file(tmp_path / "given", labels=np.zeros(40, np.int32))
    (tmp_path / "given" / "net.keras").write_bytes(original.path.read_bytes())
    (tmp_path / "given" / "names.txt").write_text("a")
    labels = original.outputs.argmax(axis=-1).astype(np.int32)
    folder = import_file(tmp_path / "given", input="unit", labels=labels)
    assert_same_logits(open_teacher(folder).logits(images), original.outputs)
    (tmp_path / "given" / "other.h5").touch()
    with pytest.raises(TeacherError, match=r"holds 2 networks \(net\.keras, other\.h5\); give the"):
        import_file(tmp_path / "given", labels=labels)
