"""Teachers that kdtasks trained: one network, and an ensemble."""

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.core.files import write_json
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.teachers.network import open_network

SHAPE = (8, 8, 3)


@pytest.fixture
def save(randomise, tmp_path):
    """Give a function that saves a network of its own weights, and what it answers."""
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.networks.inference import ForwardPass
    from kdtasks.learn.networks.saved import save_model

    def run(folder, seed):
        model = build(CNN(filters=(4, 6)), input_shape=SHAPE, num_classes=4, exits=["block_1"])
        randomise(model, seed=seed)
        save_model(tmp_path / folder, model)
        return ForwardPass(model)

    return run


def test_a_network_answers_with_its_last_exit(save, images, tmp_path):
    expected = save("teacher", 0).logits(images)[-1]
    opened = open_network(tmp_path / "teacher")
    assert (opened.batch_size, opened.input_shape, opened.output_shape) == (None, SHAPE, (4,))
    [logits] = opened.run(images.astype(np.float32))
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    [logits, features] = open_network(tmp_path / "teacher", layers=["block_1"]).run(
        images.astype(np.float32)
    )
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    assert features.shape == (40, 4, 4, 4)
    with pytest.raises(TeacherError, match=r"targets\.features: .* no block and no layer 'b'"):
        open_network(tmp_path / "teacher", layers=["b"])


def test_an_ensemble_answers_with_the_mean_of_its_members(save, images, tmp_path):
    from kdtasks.learn.teachers.outputs import mean_logits

    members = [save(f"teacher/member_{seed}", seed) for seed in (0, 1)]
    write_json(tmp_path / "teacher/teacher.json", {"members": ["member_0", "member_1"]})
    opened = open_network(tmp_path / "teacher")
    one = open_network(tmp_path / "teacher/member_0")
    assert one.parameters
    assert opened.parameters == 2 * one.parameters
    expected = mean_logits([member.logits(images)[-1] for member in members])
    [logits] = opened.run(images.astype(np.float32))
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(TeacherError, match="ensemble of 2, whose hidden features cannot be"):
        open_network(tmp_path / "teacher", layers=["block_1"])


def test_a_folder_without_weights_is_named(save, tmp_path):
    save("teacher", 0)
    (tmp_path / "teacher/model.weights.h5").unlink()
    with pytest.raises(TeacherError, match=r"holds no model\.weights\.h5; copy it again"):
        open_network(tmp_path / "teacher")
