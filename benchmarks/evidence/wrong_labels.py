"""Labels that are wrong by design, and which of them the report lists: scikit-learn's digits."""

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.evaluate.label_errors import confident_learning, why_too_poor

_CLASSES, _STUDENTS = 10, 3
# Wrong labels among those that are judged, and labels looked at in each trial.
_WRONG = 40
_EVENTS = ("a listed label is wrong", "a wrong label is listed", "a right label is listed")


def listed(
    judged: int, wrong: int, *, to_next: bool, noise: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Have three networks judge labels of images that they have not seen.

    They are trained on the other digits, of whose labels as large a fraction is wrong.

    Args:
        judged: images.
        wrong: of these, the number with a wrong label.
        to_next: whether wrong labels are always the next class; else any other.
        noise: standard deviation of what is added to pixels of 0 to 1, for poor networks.

    Returns:
        which labels are wrong, and which are listed, bool [judged] each.
    """
    generator = np.random.default_rng(seed)
    images, truth = load_digits(return_X_y=True)
    order = generator.permutation(len(truth))
    images, truth = images[order] / 16, truth[order]
    images = images + noise * generator.standard_normal(images.shape)
    is_wrong = np.zeros(len(truth), bool)
    for part in (np.arange(judged), np.arange(judged, len(truth))):
        count = round(len(part) * wrong / judged)
        is_wrong[generator.choice(part, count, replace=False)] = True
    by = 1 if to_next else generator.integers(1, _CLASSES, len(truth))
    labels = np.where(is_wrong, (truth + by) % _CLASSES, truth)
    answers = []
    for student in range(_STUDENTS):
        network = MLPClassifier(
            (32,), learning_rate_init=0.005, max_iter=60, random_state=100 * seed + student
        )
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            network.fit(images[judged:], labels[judged:])
        answers.append(network.predict_proba(images[:judged]))
    found = np.zeros(judged, bool)
    issues = confident_learning(labels[:judged], np.mean(answers, axis=0)).issues
    found[issues] = not why_too_poor(labels[:judged], np.argmax(answers, axis=2), len(issues))
    return is_wrong[:judged], found


def _simulate(trials: int) -> list[Rate]:
    rates = []
    for judged, wrong, to_next, noise, least in (
        (800, _WRONG, False, 0, 0.5),
        (400, _WRONG, False, 0, 0.5),
        (200, _WRONG, False, 0, 0.5),
        (400, _WRONG, True, 0, 0.5),
        (800, 0, False, 0, None),
        (800, 0, False, 0.3, None),
        (800, 0, False, 0.6, None),
    ):
        told = dict.fromkeys(_EVENTS, 0)
        for seed in range(trials):
            is_wrong, found = listed(judged, wrong, to_next=to_next, noise=noise, seed=seed)
            draw = np.random.default_rng([seed, 1]).choice
            of_listed = draw(np.flatnonzero(found), _WRONG) if found.any() else np.array([], int)
            of_right = draw(np.flatnonzero(~is_wrong), _WRONG)
            counts = is_wrong[of_listed].sum(), found[is_wrong].sum(), found[of_right].sum()
            told = {event: told[event] + int(n) for event, n in zip(told, counts, strict=True)}
        case = f"{judged} images, {wrong / judged:.0%} wrong{', always the next class' * to_next}"
        case += f", noise of {noise} in pixels of 0 to 1" if noise else ""
        limits = (least, least, None)
        for (event, count), at_least in zip(told.items(), limits, strict=True):
            if wrong or event == _EVENTS[-1]:
                rates.append(Rate(f"{case}: {event}", count, _WRONG * trials, at_least=at_least))
    return rates


WRONG_LABELS = Promise(
    name="wrong_labels",
    sentence="Where 5 to 20 % of the labels are wrong, at least half of those that are listed are, "
    "and at least half of the wrong ones are listed.",
    simulate=_simulate,
    few=1,
    many=20,
)
