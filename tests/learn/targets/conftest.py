"""Targets of a teacher that looks at brightness."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.records.data import Targets
from kdtasks.data.labels import training_set
from kdtasks.learn.augmentations.rotation import Rotation
from kdtasks.learn.augmentations.shift import Shift
from kdtasks.learn.targets.open import open_targets
from kdtasks.learn.targets.write import write_targets
from kdtasks.learn.teachers.teacher import Teacher
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.views import AugmentationParams
from tests.tools.datasets import dataset_of

DRAW = np.random.default_rng(2)
IMAGES = DRAW.integers(0, 256, (11, 8, 8, 1), dtype=np.uint8)
LABELS = DRAW.integers(0, 3, 11).astype(np.int32)
TRAINING = training_set(dataset_of(IMAGES, LABELS, num_classes=3), IMAGES[:0])
AUGMENTATION = AugmentationParams(views=3, transforms=(Rotation(degrees=20.0), Shift(fraction=0.2)))


def three_means(images: np.ndarray) -> np.ndarray:
    """A teacher of three classes that looks at brightness."""
    mean = images.astype(np.float32).mean(axis=(1, 2, 3))
    return np.stack([mean, 255 - mean, mean / 3], axis=-1)


def write(
    folder: Path,
    logits: Callable[[Any], np.ndarray] = three_means,
    top_k: int | None = None,
    **features: Callable[[Any], np.ndarray],
) -> Targets:
    """Write targets of a teacher whose hidden layers are the functions `features`."""

    def run(images: Any) -> list[np.ndarray]:
        return [logits(images), *(layer(images) for layer in features.values())]

    return write_targets(
        folder,
        Teacher(run=run, parameters=None, macs=None),
        TRAINING,
        augmentation=AUGMENTATION,
        layers=list(features),
        top_k=top_k,
    )


def read(folder: Path, *layers: str) -> TrainingExamples:
    """Open cached targets."""
    examples = open_targets(folder, TRAINING, seed=0, layers=layers)
    assert isinstance(examples, TrainingExamples)
    return examples
