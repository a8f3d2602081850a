"""What each arm is taught with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.backend import seed_everything
from kdtasks.core.errors import DatasetError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.data import Unlabelled
from kdtasks.data.labels import training_set, write_labelled
from kdtasks.data.unlabelled import UnlabelledImages, write_unlabelled
from kdtasks.learn.arms import Arm, ArmPlanner, rate_and_epochs
from kdtasks.learn.augmentations.rotation import Rotation
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.saved import save_model
from kdtasks.learn.objectives.distillation import DistillationObjective, DistillParams
from kdtasks.learn.objectives.objective import HardLabelObjective, LabelObjective
from kdtasks.learn.targets.write import write_targets
from kdtasks.learn.teachers.confidence import confidence_of
from kdtasks.learn.teachers.teacher import open_teacher
from kdtasks.learn.training.settings import StudentParams, TrainParams
from kdtasks.learn.training.views import AugmentationParams
from tests.tools.datasets import dataset_of

DRAW = np.random.default_rng(0)
IMAGES = DRAW.integers(0, 256, (24, 8, 8, 1), dtype=np.uint8)
LABELS = np.arange(24, dtype=np.int32) % 3
DRAWER = DRAW.integers(0, 256, (6, 8, 8, 1), dtype=np.uint8)
LABELLED = np.array([0, 4, 8])
DATASET = dataset_of(IMAGES, LABELS, num_classes=3)
MOVING = AugmentationParams(views=2, transforms=(Rotation(degrees=20.0),))
EPOCH = len(IMAGES) + len(DRAWER)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> ProjectPaths:
    """A project up to `targets`: 24 labels of which students see 3, 6 images without one."""
    paths = ProjectPaths(tmp_path_factory.mktemp("project"))
    seed_everything(0)
    save_model(paths.teacher, build(CNN(filters=(4,)), input_shape=(8, 8, 1), num_classes=3))
    write_labelled(paths.labelled, LABELLED)
    record = Unlabelled(images=6, excluded=(), repeated=0)
    write_unlabelled(paths.unlabelled, UnlabelledImages(DRAWER, tuple("abcdef"), record))
    teacher = open_teacher(paths.teacher)
    write_targets(
        paths.targets,
        teacher,
        training_set(DATASET, DRAWER),
        augmentation=MOVING,
        confidence=confidence_of(teacher, DRAWER, min_confidence=0.0),
    )
    return paths


def planner(paths: ProjectPaths, **changed: Any) -> ArmPlanner:
    planner = ArmPlanner(paths, MOVING, TrainParams(), DistillParams(), online=False, seed=0)
    object.__setattr__(planner, "dataset", DATASET)  # in memory
    for name, value in changed.items():
        object.__setattr__(planner, name, value)
    return planner


@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("arm", ["labels", "soft_labelled", "all_labels"])
def test_every_arm_takes_as_many_steps(paths: ProjectPaths, arm: Arm, online: bool):
    plan = planner(paths, online=online).plan(arm)
    assert plan.examples.num_examples == EPOCH


def test_labels_alone_are_the_visible_ones_in_views_without_a_teacher(paths: ProjectPaths):
    plan = planner(paths).plan("labels")
    assert type(plan.objective) is LabelObjective
    assert plan.keeps_best
    (block,) = plan.examples.blocks(
        epoch=1, order=np.arange(EPOCH), batch_size=EPOCH, steps_per_block=1
    )
    assert set(block.labels.ravel()) == {0, 1, 2}  # one of each
    assert np.bincount(block.labels.ravel()).tolist() == [10, 10, 10]
    assert block.logits.shape == (1, EPOCH, 0)


def test_soft_answers_come_with_the_visible_labels_only(paths: ProjectPaths):
    plan = planner(paths).plan("soft")
    assert isinstance(plan.objective, DistillationObjective)
    assert plan.objective.label_loss.ignore_label == -1
    assert not plan.keeps_best
    (block,) = plan.examples.blocks(
        epoch=1, order=np.arange(EPOCH), batch_size=EPOCH, steps_per_block=1
    )
    assert np.flatnonzero(block.labels[0] != -1).tolist() == LABELLED.tolist()
    np.testing.assert_array_equal(block.images[0, 24::2], DRAWER[::2])  # view 0
    assert block.logits.shape == (1, EPOCH, 3)


def test_hard_answers_need_no_label_at_all(paths: ProjectPaths):
    plan = planner(paths).plan("hard")
    assert isinstance(plan.objective, HardLabelObjective)
    assert plan.objective.label_loss.ignore_label is None


def test_soft_answers_on_labelled_images_are_the_teachers_to_each_view(paths: ProjectPaths):
    plan = planner(paths).plan("soft_labelled")
    (block,) = plan.examples.blocks(
        epoch=1, order=np.arange(EPOCH), batch_size=EPOCH, steps_per_block=1
    )
    logits = open_teacher(paths.teacher).logits(block.images[0])
    shifted = logits - logits.max(axis=1, keepdims=True)
    np.testing.assert_allclose(block.logits[0], shifted, rtol=2e-3, atol=1e-3)
    assert (block.labels != -1).all()


def test_all_labels_are_those_of_the_split_without_images_that_have_none(paths: ProjectPaths):
    plan = planner(paths).plan("all_labels")
    assert type(plan.objective) is LabelObjective
    (block,) = plan.examples.blocks(
        epoch=1, order=np.arange(EPOCH), batch_size=EPOCH, steps_per_block=1
    )
    assert np.bincount(block.labels.ravel()).tolist() == pytest.approx([10, 10, 10], abs=2)


def test_another_choice_of_labels_is_another_run(paths: ProjectPaths):
    assert all(paths.labelled in planner(paths).plan(arm).inputs for arm in ("labels", "soft"))


def test_a_folder_without_its_files_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"cannot be read .* run `dvc repro prepare`"):
        planner(ProjectPaths(tmp_path)).plan("labels")


STUDENT = StudentParams(model=CNN(filters=(4,)), learning_rate=0.01)
ARMS: tuple[Arm, ...] = ("labels", "all_labels", "soft", "soft_labelled", "hard")


def test_every_arm_has_one_pace_unless_params_say_otherwise():
    distill = DistillParams(epochs=7)
    assert {rate_and_epochs(arm, STUDENT, distill) for arm in ARMS} == {(0.01, 7)}


def test_students_with_a_teacher_and_those_without_may_have_a_pace_of_their_own():
    student = STUDENT.model_copy(update={"epochs": 5})
    distill = DistillParams(learning_rate=0.02, epochs=7)
    found = {arm: rate_and_epochs(arm, student, distill) for arm in ARMS}
    assert found == {
        **dict.fromkeys(("labels", "all_labels"), (0.01, 5)),
        **dict.fromkeys(("soft", "soft_labelled", "hard"), (0.02, 7)),
    }
