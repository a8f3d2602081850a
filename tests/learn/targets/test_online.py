"""A teacher beside the student: what is written for it, and what it is asked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.backend import seed_everything
from kdtasks.core.errors import TeacherError
from kdtasks.core.files import read_json
from kdtasks.data.labels import training_set
from kdtasks.learn.augmentations.rotation import Rotation
from kdtasks.learn.augmentations.shift import Shift
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.saved import save_model
from kdtasks.learn.targets.files import target_files
from kdtasks.learn.targets.open import open_targets
from kdtasks.learn.targets.write import write_online
from kdtasks.learn.teachers.teacher import open_teacher
from kdtasks.learn.training.online import OnlineExamples
from kdtasks.learn.training.views import AugmentationParams
from tests.tools.datasets import dataset_of

DRAW = np.random.default_rng(2)
IMAGES = DRAW.integers(0, 256, (12, 8, 8, 1), dtype=np.uint8)
LABELS = DRAW.integers(0, 3, 12).astype(np.int32)
AUGMENTATION = AugmentationParams(transforms=(Rotation(degrees=20.0), Shift(fraction=0.2)))
NETWORK = CNN(filters=(4, 6))
TRAINING = training_set(dataset_of(IMAGES, LABELS, num_classes=3), IMAGES[:0])


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights."""
    folder = tmp_path_factory.mktemp("models") / "teacher"
    seed_everything(0)
    model = build(NETWORK, input_shape=(8, 8, 1), num_classes=3)
    save_model(folder, model)
    return folder


@pytest.fixture
def online(teacher: Path, tmp_path: Path) -> Path:
    """Online targets of it."""
    folder = tmp_path / "targets"
    write_online(
        folder,
        teacher,
        images=IMAGES,
        augmentation=AUGMENTATION,
        batch_size=5,
        layers=["block_1", "top_average"],
    )
    return folder


def test_the_folder_holds_a_copy_of_the_teacher_and_no_answers(online: Path, teacher: Path):
    assert read_json(online / "targets.json") == {
        "mode": "online",
        "augmentation": AUGMENTATION.model_dump(mode="json"),
        "batch_size": 5,
        "images": 12,
        "features": [
            {"layer": "block_1", "shape": [4, 4, 4]},
            {"layer": "top_average", "shape": [6]},
        ],
    }
    names = ["model.json", "model.weights.h5"]
    assert sorted(path.name for path in (online / "teacher").iterdir()) == names
    for name in names:
        assert (online / "teacher" / name).read_bytes() == (teacher / name).read_bytes()
    assert [path.name for path in target_files(online)] == [
        "targets.json",
        *names,
        "unlabelled.npy",
    ]


def test_the_teacher_answers_to_what_the_student_sees(online: Path, teacher: Path):
    examples = open_targets(online, TRAINING, seed=1, layers=["top_average", "block_1"])
    assert isinstance(examples, OnlineExamples)
    assert [each.shape for each in examples.sample.features] == [(6,), (4, 4, 4)]
    (block,) = examples.blocks(epoch=2, order=np.arange(12), batch_size=12, steps_per_block=9)
    opened = open_teacher(teacher, layers=["top_average", "block_1"])
    logits, *features = opened.run(block.images[0])
    expected = [logits - logits.max(axis=1, keepdims=True), *features]
    for got, answer in zip((block.logits, *block.features), expected, strict=True):
        np.testing.assert_allclose(got[0], answer, rtol=2e-3, atol=1e-3)
    assert (block.images[0] != IMAGES).any()
    np.testing.assert_array_equal(block.labels[0], LABELS)


def test_views_are_those_of_the_student_from_scratch_and_other_seeds_see_others(online: Path):
    def views(examples: Any) -> bytes:
        blocks = examples.blocks(epoch=1, order=np.arange(12), batch_size=4, steps_per_block=9)
        return b"".join(block.images.tobytes() for block in blocks)

    taught = views(open_targets(online, TRAINING, seed=1))
    assert taught == views(OnlineExamples(IMAGES, LABELS, AUGMENTATION, seed=1))
    assert taught != views(open_targets(online, TRAINING, seed=2))


def test_features_that_are_not_there_are_refused(online: Path, teacher: Path, tmp_path: Path):
    message = r"has the features of \['block_1', 'top_average'\], not of 'block_2'; add it"
    with pytest.raises(TeacherError, match=message):
        open_targets(online, TRAINING, seed=0, layers=["block_2"])
    message = (
        r"targets\.features: .* no block and no layer 'block_9'; its blocks: block_1, block_2;"
    )
    with pytest.raises(TeacherError, match=message):
        write_online(
            tmp_path / "other",
            teacher,
            images=IMAGES,
            augmentation=AUGMENTATION,
            batch_size=5,
            layers=["block_9"],
        )
    assert not (tmp_path / "other").exists()
