"""Files that cannot be opened as teachers, each refused in words."""

import shutil

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError


@pytest.fixture
def refuse(import_file, tmp_path):
    """Give a function that checks that a file is refused and that nothing is written."""

    def check(path, message):
        with pytest.raises(TeacherError, match=message):
            import_file(path)
        assert not (tmp_path / "imported").exists()

    return check


def test_a_missing_path_is_refused(refuse, tmp_path):
    refuse(tmp_path / "none.keras", r"none\.keras not found; give the file of the teacher")


def test_an_unknown_ending_is_refused(refuse, tmp_path):
    (tmp_path / "teacher.pt").write_bytes(b"torch")
    refuse(
        tmp_path / "teacher.pt",
        r"teacher\.pt is of no known format; give one of `\.keras`, `\.h5`",
    )


def test_a_folder_that_is_no_saved_model_is_refused(refuse, tmp_path):
    (tmp_path / "folder").mkdir()
    refuse(
        tmp_path / "folder",
        r"folder is of no known format; give one of .*`saved_model\.pb`, `\.tflite`, a folder "
        r"`models/teacher` of a trained teacher; a network of PyTorch: `torch.onnx.export`$",
    )


@pytest.mark.parametrize(
    "kind", ["tf_keras.keras", "keras_3.keras", "tf_keras.h5", "keras_3.h5", "any_batch.tflite"]
)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_truncated_file_is_refused(kind, share, teacher_file, refuse, tmp_path):
    whole = teacher_file(kind).path.read_bytes()
    damaged = tmp_path / kind
    damaged.write_bytes(whole[: int(share * len(whole))])
    refuse(damaged, "could not be opened .*check that the file is complete")


def test_a_page_of_text_in_the_place_of_a_teacher_is_called_that(refuse, tmp_path):
    page = tmp_path / "teacher.keras"
    page.write_text("<html>\n404: not found</html>")
    refuse(page, "could not be opened .*: it is a text file that begins with '<html>'; check")


@pytest.mark.parametrize("what", ["saved_model.pb", "variables/variables.index"])
def test_a_damaged_saved_model_is_refused(what, teacher_file, refuse, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(teacher_file("tf_keras_saved_model").path, folder)
    content = (folder / what).read_bytes()
    (folder / what).write_bytes(content[: len(content) // 2])
    refuse(folder, "could not be opened")


def test_weights_without_a_network_are_refused(make_network, refuse, tmp_path):
    make_network("tf_keras").save_weights(tmp_path / "only.weights.h5")
    refuse(tmp_path / "only.weights.h5", "holds weights without a network; save the whole model")


@pytest.mark.parametrize(
    "kind",
    [
        "tf_keras.keras",
        "keras_3.h5",
        "tf_keras_saved_model",
        "keras_3_export",
        "any_batch.tflite",
    ],
)
def test_several_outputs_are_refused(kind, make_network, save_network, refuse, tmp_path):
    network = make_network("keras_3" if "keras_3" in kind else "tf_keras", outputs=2)
    save_network(network, tmp_path / kind)
    refuse(tmp_path / kind, "has 1 inputs and 2 outputs; a teacher has one of each")


def doubling(folder, *names):
    from kdtasks.core.backend import tf

    module = tf.Module()
    signature = [tf.TensorSpec((None, 8, 8, 3), name="image")]
    module.answer = tf.function(
        lambda image: {"answer": tf.reduce_mean(image, (1, 2)) @ tf.ones((3, 4))},
        input_signature=signature,
    )
    function = module.answer.get_concrete_function()
    tf.saved_model.save(module, folder, signatures=dict.fromkeys(names, function))


def test_a_saved_model_may_name_its_only_signature_as_it_likes(import_file, images, tmp_path):
    from kdtasks.learn.teachers.teacher import open_teacher

    doubling(tmp_path / "model", "classify")
    logits = open_teacher(import_file(tmp_path / "model")).logits(images)
    expected = images.astype(np.float32).mean((1, 2)).sum(-1)
    np.testing.assert_allclose(logits, np.tile(expected[:, None], 4), rtol=1e-5)


@pytest.mark.parametrize(
    ("names", "found"), [((), "no signature"), (("one", "two"), "the signatures one, two")]
)
def test_a_saved_model_that_leaves_its_signature_open_is_refused(names, found, refuse, tmp_path):
    doubling(tmp_path / "model", *names)
    refuse(tmp_path / "model", f"has {found}; save it with one that takes images .*serving_default")
