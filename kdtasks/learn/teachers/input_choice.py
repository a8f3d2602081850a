"""Choose the form in which a network takes pixels: the clearly best one, or none."""

from collections.abc import Mapping

import numpy as np

from kdtasks.learn.teachers.input_forms import InputForm
from kdtasks.learn.teachers.judge import Judge

# Answers that differ by so little of their probability, on average, are the same.
_SAME = 0.01

# Of images that two forms answer alike, so many are enough to say that they differ in sharpness.
_AGREE = 0.95

# At this temperature, where students learn from what else a teacher thinks of an image, answers
# whose likeliest class has so much are one-hot.
_TEMPERATURE, _ONE_HOT = 4.0, 0.99


Logits = Mapping[InputForm, np.ndarray]


def choose(logits: Logits, judge: Judge) -> tuple[InputForm, list[InputForm]]:
    """Choose as `lowest` does; colours the other way round have to be clearly better to count."""
    natural = {form: array for form, array in logits.items() if form.is_natural}
    if not natural or len(natural) == len(logits):
        return lowest(logits, judge)
    best, rivals = lowest(natural, judge)
    turned, _ = lowest({form: logits[form] for form in logits if form not in natural}, judge)
    if is_better(logits[turned], logits[best], judge):
        return lowest(logits, judge)
    return best, rivals


def lowest(logits: Logits, judge: Judge) -> tuple[InputForm, list[InputForm]]:
    """Choose the form of the lowest cross-entropy, and list those that may be right as well.

    A form that is clearly right less often than another is out first: the cross-entropy of a
    teacher that is never sure is lower where it is wrong. Of the others one is no rival of the
    best if its cross-entropy is clearly higher, or if it leads to the same answers.

    Pixels that are 255 times too large leave most answers of a network without normalisation as
    they are and make each as good as certain. Where few of them are wrong, cross-entropy cannot
    tell that from knowledge. So a form whose answers are one-hot is no rival of one with the same
    answers in another sharpness, but that one is its rival whatever the cross-entropy.

    Args:
        logits: float32 [N, …, classes] of each form that was tried.
    """
    leader = max(logits.values(), key=lambda array: judge.hits(array).mean())
    left = {
        form: array
        for form, array in logits.items()
        if not judge.is_clearly_positive(judge.hits(leader) - judge.hits(array))
    }
    best = min(left, key=lambda form: judge.losses(left[form]).mean())
    return best, [
        form for form, array in left.items() if form != best and _rivals(array, left[best], judge)
    ]


def is_better(first: np.ndarray, second: np.ndarray, judge: Judge) -> bool:
    """Whether answers are clearly better than others, by accuracy, or else by cross-entropy."""
    more = judge.hits(first) - judge.hits(second)
    if judge.is_clearly_positive(-more):
        return False
    return judge.is_clearly_positive(more) or judge.fits_clearly_better(first, second)


def _rivals(theirs: np.ndarray, best: np.ndarray, judge: Judge) -> bool:
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
