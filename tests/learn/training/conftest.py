"""A problem that a small network solves in a few epochs, and a way to train on it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from kdtasks.core.backend import seed_everything
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.objectives.distillation import DistillationObjective, DistillParams
from kdtasks.learn.training.checkpoint import Checkpoint
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.loop import TrainingSchedule, train
from kdtasks.learn.training.settings import TrainParams

# Dropout and batch normalisation carry state from step to step.
NETWORK = CNN(filters=(4, 6), dropout=0.2)


@dataclass(frozen=True)
class Trained:
    """A trained network and its history."""

    model: MultiExitModel
    history: list[dict[str, float]]

    @property
    def weights(self) -> bytes:
        """All weights and running statistics, bit for bit."""
        return b"".join(weight.tobytes() for weight in self.model.network.get_weights())


def noisy_quadrants(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise of 8×8 pixels with one of three quadrants brighter: the class."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, count).astype(np.int32)
    images = draw.integers(0, 100, (count, 8, 8, 1))
    for image, label in zip(images, labels, strict=True):
        image[4 * (label // 2) : 4 * (label // 2) + 4, 4 * (label % 2) : 4 * (label % 2) + 4] += 90
    return images.astype(np.uint8), labels


@pytest.fixture(scope="session")
def examples() -> TrainingExamples:
    """Two views of 50 images with the logits of a teacher that knows the labels."""
    views = [noisy_quadrants(50, seed) for seed in (0, 1)]
    labels = np.stack([view[1] for view in views])
    return TrainingExamples(
        images=np.stack([view[0] for view in views]),
        labels=labels,
        teacher_logits=(np.eye(3)[labels] * 6).astype(np.float16),
    )


@pytest.fixture(scope="session")
def hinting(examples: TrainingExamples) -> TrainingExamples:
    """The examples with hidden features of the teacher: which quadrant is bright."""
    features = np.zeros((2, 50, 4, 4, 5), np.float16)
    for view, labels in enumerate(examples.labels):
        for image, label in enumerate(labels):
            features[view, image, 2 * (label // 2), 2 * (label % 2), label] = 2
    return replace(examples, teacher_features=(features,))


@pytest.fixture(scope="session")
def validation() -> tuple[np.ndarray, np.ndarray]:
    """60 more images."""
    return noisy_quadrants(60, seed=9)


@pytest.fixture(scope="session")
def schedule() -> TrainingSchedule:
    """Six epochs of six steps; two images of each epoch are left over."""
    return TrainingSchedule(
        TrainParams(batch_size=8, guard_epochs=50), epochs=6, learning_rate=0.02, seed=3
    )


@pytest.fixture(scope="session")
def run(
    examples: TrainingExamples,
    validation: tuple[np.ndarray, np.ndarray],
    schedule: TrainingSchedule,
) -> Callable[..., Trained]:
    """Build the network anew and distil it, with what a test wants otherwise."""

    def run(
        *,
        schedule: TrainingSchedule = schedule,
        examples: TrainingExamples = examples,
        checkpoint: Checkpoint | None = None,
        objective: Any = None,
    ) -> Trained:
        seed_everything(schedule.seed)
        model = build(NETWORK, input_shape=(8, 8, 1), num_classes=3, exits=["block_1"])
        history = train(
            model,
            examples,
            validation=validation,
            objective=objective or DistillationObjective(DistillParams(alpha=0.5, temperature=2.0)),
            schedule=schedule,
            checkpoint=checkpoint,
        )
        return Trained(model, history)

    return run


@pytest.fixture(scope="module")
def plain(run: Callable[..., Trained]) -> Trained:
    """What `run` gives where nothing is wanted otherwise."""
    return run()


@pytest.fixture
def few_steps_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut epochs into several blocks, as long epochs are."""
    monkeypatch.setattr("kdtasks.learn.training.loop._STEPS_PER_BLOCK", 4)
