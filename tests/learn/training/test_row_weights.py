"""Labels that count more than others, from the rows of a table to the loss."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import TrainingError
from kdtasks.data.labels import training_set
from kdtasks.learn.augmentations.mixing import two_labels
from kdtasks.learn.augmentations.shift import Shift
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.saved import save_model
from kdtasks.learn.objectives.distillation import DistillationObjective, DistillParams
from kdtasks.learn.objectives.objective import LabelLossSum, LabelObjective
from kdtasks.learn.targets.open import open_targets
from kdtasks.learn.targets.write import write_targets
from kdtasks.learn.teachers.teacher import open_teacher
from kdtasks.learn.training.examples import Examples, TrainingExamples, in_views
from kdtasks.learn.training.loop import TrainingSchedule
from kdtasks.learn.training.online import OnlineExamples
from kdtasks.learn.training.repetition import repeated_examples
from kdtasks.learn.training.views import AugmentationParams, draw_views
from tests.tools.datasets import dataset_of

Run = Callable[..., Any]
IMAGES = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 1), dtype=np.uint8)
NUMBERS = np.arange(10, dtype=np.int32)
MOVING = AugmentationParams(views=3, transforms=(Shift(fraction=0.2),))


def test_the_weighted_loss_by_hand() -> None:
    # −ln 3/4 with weight 1 and −ln 4/5 with weight 3; the label that is ignored counts nowhere
    logits = np.log([[3.0, 1.0], [1.0, 4.0], [7.0, 7.0]]).astype(np.float32)
    weights = np.array([1.0, 3.0, 50.0], np.float32)
    found = LabelLossSum(9)(logits, np.array([0, 1, 9]), weights=[weights])
    assert float(found) == pytest.approx((0.287682 + 3 * 0.223144) / 4, rel=1e-5)
    masks = LabelLossSum()(logits[:2, None, None], np.array([[[0]], [[1]]]), weights=[weights[:2]])
    assert float(masks) == pytest.approx(float(found), rel=1e-6)


def cached(folder: Path) -> Examples:
    model = build(CNN(filters=(4,)), input_shape=(8, 8, 1), num_classes=10)
    save_model(folder / "teacher", model)
    weights = NUMBERS.astype(np.float32)
    dataset = dataset_of(IMAGES, NUMBERS, num_classes=10, weights=weights)
    training = training_set(dataset, IMAGES[:0])
    teacher = open_teacher(folder / "teacher")
    write_targets(folder / "targets", teacher, training, augmentation=MOVING)
    return open_targets(folder / "targets", training, seed=0)


def of_a_teacher(folder: Path) -> Examples:
    views, labels = draw_views(IMAGES, NUMBERS, MOVING)
    return TrainingExamples(views, labels, weights=in_views(NUMBERS.astype("f4"), len(views)))


def repeated(folder: Path) -> Examples:
    weights = NUMBERS.astype(np.float32)
    return repeated_examples(IMAGES, NUMBERS, MOVING, epoch_size=24, weights=weights)


def online(folder: Path) -> Examples:
    weights = NUMBERS.astype(np.float32)
    return OnlineExamples(IMAGES, NUMBERS, MOVING, seed=0, epoch_size=24, weights=weights)


@pytest.mark.parametrize("make", [cached, of_a_teacher, repeated, online])
def test_every_image_keeps_its_weight(make: Callable[[Path], Examples], tmp_path: Path) -> None:
    """Each image has its number as its label and as its weight."""
    examples = make(tmp_path)
    assert [array.dtype for array in examples.sample.weights] == [np.float32]
    order = np.random.default_rng(1).permutation(examples.num_examples)
    for epoch in (1, 2, 5):
        for block in examples.blocks(epoch=epoch, order=order, batch_size=4, steps_per_block=2):
            assert len(np.unique(block.labels)) > 3
            np.testing.assert_array_equal(block.weights[0], block.labels)


def test_labels_without_weight_teach_nothing(
    run: Run, examples: TrainingExamples, schedule: TrainingSchedule
) -> None:
    """Training goes as if they were not there, and otherwise than with them."""
    out = np.broadcast_to(np.arange(50) % 4 > 0, examples.labels.shape)
    weights = np.where(out, 1e-9, 3.0).astype(np.float32)
    hidden = dataclasses.replace(examples, labels=np.where(out, -1, examples.labels))
    weighted = dataclasses.replace(examples, weights=weights)
    short = dataclasses.replace(schedule, epochs=1)
    labels_alone = DistillationObjective(DistillParams(alpha=1.0))
    losses = [
        run(examples=given, objective=objective, schedule=short).history[0]["loss"]
        for given, objective in (
            (hidden, LabelObjective(LabelLossSum(ignore_label=-1))),
            (weighted, LabelObjective()),
            (weighted, labels_alone),
            (examples, LabelObjective()),
        )
    ]
    assert losses[1:3] == pytest.approx([losses[0]] * 2, rel=1e-3)
    assert losses[3] != pytest.approx(losses[0], rel=1e-2)


def test_equal_weights_change_nothing(run: Run, examples: TrainingExamples) -> None:
    losses = [
        run(examples=dataclasses.replace(examples, weights=weights)).history[0]["loss"]
        for weights in (None, np.full(examples.labels.shape, 4.0, np.float32))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_mixed_images_with_weights_are_refused(examples: TrainingExamples) -> None:
    weights = np.ones(examples.labels.shape, np.float32)
    mixed = dataclasses.replace(examples, labels=two_labels(examples.labels), weights=weights)
    with pytest.raises(TrainingError, match="labels have weights, which an image of two labels"):
        _ = mixed.sample
