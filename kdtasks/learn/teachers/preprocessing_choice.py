"""Choose the preprocessing that a network was trained with: the clearly best one, or none."""

from collections.abc import Mapping

import numpy as np

from kdtasks.learn.teachers.judge import Judge
from kdtasks.learn.teachers.preprocessing import Preprocessing

# Answers that differ by so little of their probability, on average, are the same.
_SAME = 0.01

# Of images that two preprocessings answer alike, so many are enough to say that they differ in
# sharpness.
_AGREE = 0.95

# At this temperature, where students learn from what else a teacher thinks of an image, answers
# whose likeliest class has so much are one-hot.
_TEMPERATURE, _ONE_HOT = 4.0, 0.99


Logits = Mapping[Preprocessing, np.ndarray]


def choose_preprocessing(logits: Logits, judge: Judge) -> tuple[Preprocessing, list[Preprocessing]]:
    """Choose as `lowest_loss` does; swapped colours have to be clearly better to count."""
    natural = {
        preprocessing: array for preprocessing, array in logits.items() if preprocessing.is_natural
    }
    if not natural or len(natural) == len(logits):
        return lowest_loss(logits, judge)
    best, rivals = lowest_loss(natural, judge)
    turned, _ = lowest_loss(
        {
            preprocessing: logits[preprocessing]
            for preprocessing in logits
            if preprocessing not in natural
        },
        judge,
    )
    if is_better(logits[turned], logits[best], judge):
        return lowest_loss(logits, judge)
    return best, rivals


def lowest_loss(logits: Logits, judge: Judge) -> tuple[Preprocessing, list[Preprocessing]]:
    """Choose the preprocessing of the lowest cross-entropy, and list those that may be right too.

    One that is clearly right less often than another is out first: the cross-entropy of a
    teacher that is never sure is lower where it is wrong. Of the others one is no rival of the
    best if its cross-entropy is clearly higher, or if it leads to the same answers.

    Pixels that are 255 times too large leave most answers of a network without normalisation as
    they are and make each as good as certain. Where few of them are wrong, cross-entropy cannot
    tell that from knowledge. So one whose answers are one-hot is no rival of one with the same
    answers in another sharpness, but that one is its rival whatever the cross-entropy.

    Args:
        logits: float32 [N, …, classes] of each one that was tried.
    """
    leader = max(logits.values(), key=lambda array: judge.hits(array).mean())
    remaining = {
        preprocessing: array
        for preprocessing, array in logits.items()
        if not judge.is_clearly_positive(judge.hits(leader) - judge.hits(array))
    }
    best = min(remaining, key=lambda preprocessing: judge.losses(remaining[preprocessing]).mean())
    return best, [
        preprocessing
        for preprocessing, array in remaining.items()
        if preprocessing != best and _is_rival(array, remaining[best], judge)
    ]


def is_better(first: np.ndarray, second: np.ndarray, judge: Judge) -> bool:
    """Whether answers are clearly better than others, by accuracy, or else by cross-entropy."""
    more = judge.hits(first) - judge.hits(second)
    if judge.is_clearly_positive(-more):
        return False
    return judge.is_clearly_positive(more) or judge.fits_clearly_better(first, second)


def _is_rival(theirs: np.ndarray, best: np.ndarray, judge: Judge) -> bool:
    if np.abs(_softened(theirs) - _softened(best)).sum(axis=-1).mean() / 2 < _SAME:
        return False
    agree = (theirs.argmax(axis=-1) == best.argmax(axis=-1)).mean() >= _AGREE
    if agree and _are_one_hot(theirs) != _are_one_hot(best):
        return _are_one_hot(best)
    return not judge.fits_clearly_better(best, theirs)


def _are_one_hot(logits: np.ndarray) -> bool:
    return bool(_softened(logits, _TEMPERATURE).max(axis=-1).mean() > _ONE_HOT)


def _softened(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    from scipy.special import softmax  # takes half a second to import

    softened: np.ndarray = softmax(logits / np.float32(temperature), axis=-1)
    return softened
