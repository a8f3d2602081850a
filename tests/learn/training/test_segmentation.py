"""Masks are learnt where they are labelled, and from a teacher under every loss."""

import dataclasses

import numpy as np
import pytest

from kdtasks.core.backend import seed_everything
from kdtasks.learn.losses.distillation import DistillationLoss
from kdtasks.learn.losses.distillation.channelwise_kd import ChannelwiseKD
from kdtasks.learn.losses.distillation.dist import DIST
from kdtasks.learn.losses.distillation.dkd import DKD
from kdtasks.learn.losses.distillation.kd import KD
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.networks.unet import UNet
from kdtasks.learn.objectives.distillation import (
    DistillationObjective,
    DistillParams,
    ExitTeachingParams,
)
from kdtasks.learn.objectives.objective import LabelLossSum, LabelObjective
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.loop import TrainingSchedule, train
from kdtasks.learn.training.run import exit_scores

DRAW = np.random.default_rng(0)
IMAGES = DRAW.integers(0, 256, (1, 24, 8, 8, 1), dtype=np.uint8)
BRIGHT = IMAGES[..., 0] > 127
MASKS = np.where(DRAW.random(BRIGHT.shape) < 0.4, 255, BRIGHT).astype(np.uint8)
# A teacher knows every pixel, those without a label too.
LOGITS = np.stack([~BRIGHT, BRIGHT], axis=-1) * np.float16(6)


@pytest.fixture
def unet() -> MultiExitModel:
    """A network of two levels with an early exit."""
    seed_everything(0)
    architecture = UNet(filters=(4, 6))
    return build(architecture, input_shape=(8, 8, 1), num_classes=2, exits=["up_1"])


@pytest.mark.parametrize("loss", [KD(), DKD(), DIST(), ChannelwiseKD()])
def test_a_teacher_is_listened_to_under_every_loss(
    loss: DistillationLoss, unet: MultiExitModel, schedule: TrainingSchedule
):
    exits = ExitTeachingParams(teacher=True, last_exit=0.5)
    params = DistillParams(alpha=0.2, temperature=2.0, loss=loss, exits=exits)
    history = train(
        unet,
        TrainingExamples(IMAGES, MASKS, LOGITS),
        validation=(IMAGES[0], BRIGHT[0].astype(np.uint8)),
        objective=DistillationObjective(params, LabelLossSum(255)),
        schedule=dataclasses.replace(schedule, epochs=10, learning_rate=0.05),
        ignore_label=255,
    )
    # Were the 40 % of unlabelled pixels counted, the teacher would agree with 60 % at most.
    assert {record["teacher_agreement"] for record in history} == {1.0}
    assert history[-1]["loss"] < history[0]["loss"]


def test_unlabelled_pixels_are_ignored(unet: MultiExitModel, schedule: TrainingSchedule):
    history = train(
        unet,
        TrainingExamples(IMAGES, MASKS),
        validation=(IMAGES[0], MASKS[0]),
        objective=LabelObjective(LabelLossSum(255)),
        schedule=dataclasses.replace(schedule, epochs=25, learning_rate=0.05),
        ignore_label=255,
    )
    # Were the 40 % of unlabelled pixels counted, no accuracy could be above 0.6.
    assert history[-1]["accuracy"] > 0.9
    assert history[-1]["validation_accuracy"] > 0.9
    scores = exit_scores(unet, IMAGES[0], MASKS[0], ignore_label=255)
    assert scores.accuracy[-1] == pytest.approx(history[-1]["validation_accuracy"], abs=2e-6)
    # Two classes of about as many pixels each: errors count about twice.
    wrong = 1 - scores.accuracy[-1]
    assert scores.score("mean_iou") == pytest.approx(1 - 2 * wrong, abs=0.05)
