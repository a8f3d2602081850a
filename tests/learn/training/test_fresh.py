"""Views drawn for each epoch: new ones every time, the same ones for whoever starts again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.learn.augmentations.horizontal_flip import HorizontalFlip
from kdtasks.learn.augmentations.rotation import Rotation
from kdtasks.learn.augmentations.shift import Shift
from kdtasks.learn.objectives.objective import LabelObjective
from kdtasks.learn.training.checkpoint import Checkpoint
from kdtasks.learn.training.examples import Block
from kdtasks.learn.training.loop import TrainingSchedule
from kdtasks.learn.training.online import OnlineExamples, no_logits
from kdtasks.learn.training.views import AugmentationParams

Run = Callable[..., Any]

DRAW = np.random.default_rng(4)
IMAGES = DRAW.integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.int32)
MOVING = AugmentationParams(transforms=(Rotation(degrees=20.0), Shift(fraction=0.2)))
STILL = AugmentationParams()


def brightness(images: np.ndarray) -> tuple[np.ndarray, ...]:
    """A teacher whose logits and features tell which images it was asked about."""
    mean = images.mean(axis=(1, 2, 3)).astype(np.float16)
    return np.stack([mean, -mean, mean / 2], axis=-1), images[:, :2, :2] / np.float16(255)


def epoch_of(examples: OnlineExamples, epoch: int, *, order: np.ndarray | None = None) -> Block:
    """A whole epoch in its order, as one block of one step."""
    rows = np.arange(20) if order is None else order
    (block,) = examples.blocks(epoch=epoch, order=rows, batch_size=20, steps_per_block=100)
    return block


def test_every_epoch_and_every_seed_sees_other_views():
    views = [
        epoch_of(OnlineExamples(IMAGES, LABELS, MOVING, seed), epoch).images.tobytes()
        for seed, epoch in [(0, 1), (0, 2), (1, 1), (1, 2)]
    ]
    assert len({IMAGES[None].tobytes(), *views}) == 5


def test_views_are_a_function_of_image_seed_and_epoch_however_they_are_cut():
    examples = OnlineExamples(IMAGES, LABELS, MOVING, seed=3, predict_teacher=brightness)
    order = np.random.default_rng(0).permutation(20)
    straight = epoch_of(examples, 5)
    shuffled = list(examples.blocks(epoch=5, order=order, batch_size=4, steps_per_block=2))
    assert [block.images.shape[:2] for block in shuffled] == [(2, 4), (2, 4), (1, 4)]
    for name in ("images", "labels", "logits"):
        parts = [
            getattr(block, name).reshape(-1, *getattr(block, name).shape[2:]) for block in shuffled
        ]
        np.testing.assert_array_equal(np.concatenate(parts), getattr(straight, name)[0][order])


def test_the_teacher_is_asked_about_the_views_that_the_student_sees():
    examples = OnlineExamples(IMAGES, LABELS, MOVING, seed=0, predict_teacher=brightness)
    block = epoch_of(examples, 1)
    logits, features = brightness(block.images[0])
    np.testing.assert_array_equal(block.logits[0], logits)
    np.testing.assert_array_equal(block.features[0][0], features)
    assert examples.sample.logits.shape == (3,)
    assert [each.shape for each in examples.sample.features] == [(2, 2, 1)]
    assert block.logits.dtype == block.features[0].dtype == np.float16


def test_a_student_from_scratch_sees_the_views_of_the_distilled_one():
    alone = epoch_of(OnlineExamples(IMAGES, LABELS, MOVING, seed=2), 7)
    taught = epoch_of(OnlineExamples(IMAGES, LABELS, MOVING, seed=2, predict_teacher=brightness), 7)
    np.testing.assert_array_equal(alone.images, taught.images)
    np.testing.assert_array_equal(alone.labels, taught.labels)
    assert (alone.logits.shape, alone.features) == ((1, 20, 0), ())


def test_masks_move_with_their_images():
    masks = (IMAGES[..., 0] > 127).astype(np.uint8)
    flipping = AugmentationParams(transforms=(HorizontalFlip(),))
    block = epoch_of(OnlineExamples(IMAGES, masks, flipping, seed=0), 1)
    assert (block.images[0] != IMAGES).any()
    np.testing.assert_array_equal(block.labels[0], block.images[0, ..., 0] > 127)


def test_where_nothing_moves_images_come_as_they_are():
    block = epoch_of(OnlineExamples(IMAGES, LABELS, STILL, seed=0), 3)
    np.testing.assert_array_equal(block.images[0], IMAGES)


def test_mapped_images_come_into_memory(tmp_path: Path):
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = OnlineExamples(np.load(tmp_path / "images.npy", mmap_mode="r"), LABELS, MOVING, seed=0)
    read = mapped.in_memory()
    assert not np.shares_memory(read.images, mapped.images)
    np.testing.assert_array_equal(epoch_of(mapped, 2).images, epoch_of(read, 2).images)
    assert mapped.megabytes() == pytest.approx((20 * 64 + 20 * 4) / 1e6)


@pytest.mark.parametrize("taught", [True, False])
def test_a_run_that_was_interrupted_ends_with_the_same_bits(
    taught: bool,
    run: Run,
    schedule: TrainingSchedule,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    labels = LABELS % 3
    examples = OnlineExamples(
        IMAGES, labels, MOVING, seed=3, predict_teacher=brightness if taught else no_logits
    )
    objective = None if taught else LabelObjective()
    straight = run(examples=examples, objective=objective)
    checkpoint = Checkpoint(tmp_path / "run.npz", settings=[])
    blocks = OnlineExamples.blocks

    def interrupted(self: OnlineExamples, *, epoch: int, **rest: Any) -> Any:
        if epoch == 4:
            raise KeyboardInterrupt
        return blocks(self, epoch=epoch, **rest)

    with monkeypatch.context() as patched:
        patched.setattr(OnlineExamples, "blocks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(examples=examples, objective=objective, checkpoint=checkpoint)
    resumed = run(examples=examples, objective=objective, checkpoint=checkpoint)
    assert resumed.weights == straight.weights
    assert resumed.history == straight.history
