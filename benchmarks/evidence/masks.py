"""Intervals of the mean IoU where source images are few."""

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.evaluate.pixel_counts import iou_gain_interval, mean_iou_interval

_PIXELS = 4096
_CONFIDENCE = 0.95


def draw_confusions(
    generator: np.random.Generator, images: int, classes: int, *, recall: tuple[float, float]
) -> np.ndarray:
    """Images whose classes have fractions and recalls of their own: [images, classes, classes].

    Args:
        recall: the two parameters of the beta distribution that recalls come from.
    """
    return confuse(generator, generator.dirichlet(np.full(classes, 0.7), images), recall=recall)


def confuse(
    generator: np.random.Generator, fractions: np.ndarray, *, recall: tuple[float, float]
) -> np.ndarray:
    """Have a model answer images whose classes take up the given fractions [images, classes]."""
    images, classes = fractions.shape
    recalls = generator.beta(*recall, (images, classes))
    confusions = np.zeros((images, classes, classes))
    for label in range(classes):
        others = np.arange(classes) != label
        missed = fractions[:, label] * (1 - recalls[:, label])
        confusions[:, label, label] = fractions[:, label] * recalls[:, label]
        shared = generator.dirichlet(np.ones(classes - 1), images)
        confusions[:, label, others] = missed[:, None] * shared
    return np.round(confusions * _PIXELS).astype(np.int64)


def _iou(confusion: np.ndarray) -> float:
    right = np.diagonal(confusion)
    return float((right / (confusion.sum(axis=0) + confusion.sum(axis=1) - right)).mean())


def _simulate(trials: int) -> list[Rate]:
    rates = []
    for classes, recall in ((2, (2.0, 0.7)), (3, (6.0, 2.0)), (6, (6.0, 2.0))):
        generator = np.random.default_rng(classes)
        truth = _iou(draw_confusions(generator, 40_000, classes, recall=recall).sum(axis=0))
        for images in (8, 14, 30):
            found = [
                mean_iou_interval(
                    draw_confusions(generator, images, classes, recall=recall), _CONFIDENCE
                )
                for _ in range(trials)
            ]
            covered = sum(int(low <= truth <= high) for low, high in filter(None, found))
            rates.append(
                Rate(
                    f"{classes} classes: holds the truth, {images} images",
                    covered,
                    trials,
                    at_least=0.93,
                )
            )
    return rates + _gains(trials)


def _gains(trials: int) -> list[Rate]:
    """Two models alike in truth, with errors of their own on the same images."""
    generator, covered = np.random.default_rng(9), 0
    for _ in range(trials):
        shown = draw_confusions(generator, 8, 3, recall=(6.0, 2.0))
        first, second = (
            np.stack([np.stack([generator.multinomial(row.sum(), (row + 1) / (row + 1).sum())
                                for row in image]) for image in shown])
            for _ in range(2)
        )  # fmt: skip
        low, high = iou_gain_interval(first[None], second[None], _CONFIDENCE) or (1.0, -1.0)
        covered += int(low <= 0 <= high)
    case = "3 classes, two equal models: holds the gain, 8 images"
    return [Rate(case, covered, trials, at_least=0.93)]


MASKS = Promise(
    name="masks",
    sentence="A 95 % interval of the mean IoU, and of its gain, holds the truth in at least 93 % "
    "of test splits of eight or more source images.",
    simulate=_simulate,
    few=300,
    many=3000,
)
