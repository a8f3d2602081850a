"""Imported teachers that are as sure as they are right, in the right form and in others."""

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.learn.teachers.judge import Judge
from kdtasks.learn.teachers.preprocessing import Preprocessing
from kdtasks.learn.teachers.preprocessing_choice import choose_preprocessing

_CLASSES = 10
_RIGHT, _WRONG = Preprocessing("unit", "rgb"), Preprocessing("byte", "rgb")


def draw(images: int, seed: int) -> tuple[np.ndarray, Judge]:
    """Draw logits of images, and labels with the very probabilities that they say."""
    generator = np.random.default_rng(seed)
    # Sure enough to be right of nineteen images in twenty.
    logits = generator.normal(0, 1, (images, _CLASSES))
    logits[np.arange(images), generator.integers(0, _CLASSES, images)] += 7
    noise = generator.gumbel(size=logits.shape)
    labels = (logits + noise).argmax(axis=1)  # as of a softmax (Gumbel's trick)
    rows = np.arange(images)
    return logits.astype(np.float32), Judge(rows, labels, rows, None)


def form_taken(images: int, sharpness: float, change: float, seed: int) -> str:
    """Say what becomes of two forms: `right`, `wrong`, or `refused`.

    Args:
        sharpness: of the logits in the wrong form, as a factor.
        change: standard deviation of what is wrong with them besides.
    """
    logits, judge = draw(images, seed)
    noise = np.random.default_rng([seed, 1]).normal(0, change, logits.shape)
    other = (sharpness * (logits + noise)).astype(np.float32)
    form, rivals = choose_preprocessing({_WRONG: other, _RIGHT: logits}, judge)
    if rivals:
        return "refused"
    return "right" if form == _RIGHT else "wrong"


def is_called_permuted(images: int, swapped: int, seed: int) -> bool:
    """Whether a teacher is refused of which so many outputs have changed places."""
    logits, judge = draw(images, seed)
    order = np.arange(_CLASSES)
    order[:swapped] = np.roll(order[:swapped], 1)
    return judge.better_order(logits[:, order], range(_CLASSES)) is not None


def _simulate(trials: int) -> list[Rate]:
    rates = []
    for images, sharpness, change in ((100, 2, 0), (500, 2, 0), (500, 0.5, 0), (500, 255, 1)):
        taken = [form_taken(images, sharpness, change, seed) for seed in range(trials)]
        case = f"{images} images, the wrong form {sharpness:g} times as sharp"
        case += f", logits off by {change}" if change else ""
        rates.append(Rate(f"{case}: it is taken", taken.count("wrong"), trials, at_most=0.01))
        rates.append(Rate(f"{case}: refused as a tie", taken.count("refused"), trials))
    for images, swapped in ((60, 0), (500, 0), (60, 2), (500, 2)):
        told = sum(is_called_permuted(images, swapped, seed) for seed in range(trials))
        limits = {} if swapped else {"at_most": 0.01}
        case = f"{images} images, {swapped} of 10 outputs in other places: told"
        rates.append(Rate(case, told, trials, **limits))
    return rates


TEACHERS = Promise(
    name="teachers",
    sentence="Of imported teachers that are as sure as they are right, at most 1 % are asked in a "
    "wrong form, and at most 1 % with outputs in order are refused.",
    simulate=_simulate,
    few=100,
    many=2000,
)
