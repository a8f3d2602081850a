"""Find labels that are probably wrong, by the answers of models that were not trained on them.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels", Journal of Artificial Intelligence Research 70, 2021).
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core import text
from kdtasks.core.records import Refusal
from kdtasks.core.records.data import NO_LABELS
from kdtasks.core.records.label_errors import LabelErrors, SuspectedLabel
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.scores import softmax
from kdtasks.evaluate.views import Opener
from kdtasks.tasks.registry import task_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Nothing is trained on these, and no figure of the report is measured on their labels but those
# that choose; the test split stays out, since whoever corrects labels by models' answers makes
# figures of these models too good.
JUDGED = ("validation", "calibration")
MOST_SHOWN = 40
# So many may be looked at whoever is to blame for them.
_FEW = 0.01
# A mean of equal probabilities may be a little more than each of them.
_ROUNDING = 1e-6


class TeacherAnswers(NamedTuple):
    """A teacher's answers to a split.

    Attributes:
        rows: bool [N], images that it is known not to have been trained on.
        logits: float32 [N, classes].
    """

    rows: npt.NDArray[np.bool_]
    logits: npt.NDArray[np.float32]


class LabelIssues(NamedTuple):
    """What confident learning makes of labels.

    Attributes:
        confident_class: int64 [N], the class that each image is confidently counted for; −1 of
            none.
        joint: float64 [classes, classes], the estimated joint distribution of given and true
            labels, given ones down.
        margins: float64 [N], probability of the given class less that of the likeliest other one.
        issues: rows of probably wrong labels, int64, those with the lowest margin first.
    """

    confident_class: Integers
    joint: Floats
    margins: Floats
    issues: Integers


def confident_learning(labels: npt.NDArray[np.integer], probabilities: Floats) -> LabelIssues:
    """Find labels that are probably wrong.

    A class's threshold is the mean probability that images with its label give it. An image counts
    for the likeliest class whose threshold it reaches: counts by given label and that class are
    the confident joint, equations 1 and 2 of the paper, and what lies beside its diagonal is
    suspected, unless the given class is the likeliest of all. Equation 3 makes the joint
    distribution of the counts.

    Args:
        labels: [N], at least one image.
        probabilities: float64 [N, classes], of models that were not trained on these images.
    """
    count, classes = probabilities.shape
    rows, sizes = np.arange(count), np.bincount(labels, minlength=classes)
    given = probabilities[rows, labels]
    sums = np.bincount(labels, given, minlength=classes)
    thresholds = np.divide(sums, sizes, out=np.full(classes, np.inf), where=sizes > 0)
    reaching = np.where(probabilities >= thresholds - _ROUNDING, probabilities, -1.0)
    confident_class = np.where(reaching.max(axis=1) >= 0, reaching.argmax(axis=1), -1)
    confident = np.zeros((classes, classes))
    np.add.at(confident, (labels[confident_class >= 0], confident_class[confident_class >= 0]), 1)
    # a class that nobody is confident of keeps its labels
    empty = confident.sum(axis=1) == 0
    confident[empty, empty] = 1
    joint = confident / confident.sum(axis=1, keepdims=True) * (sizes / count)[:, None]
    others = probabilities.copy()
    others[rows, labels] = -np.inf
    margins = given - others.max(axis=1)
    issues = np.flatnonzero((confident_class >= 0) & (confident_class != labels) & (margins < 0))
    issues = issues[np.argsort(margins[issues], kind="stable")]
    return LabelIssues(confident_class.astype(np.int64), joint, margins, issues)


def contradictions(labels: Integers, answers: Integers) -> tuple[float, float]:
    """Give how often models contradict the labels, and one another.

    The second estimates how often a model errs, whatever the labels say (Jiang, Nagarajan, Baek and
    Kolter, "Assessing Generalization of SGD via Disagreement", ICLR 2022).

    Args:
        labels: [N].
        answers: [models, N], of two models or more.

    Returns:
        fractions of the images: mean over models, and over pairs of them.
    """
    pairs = [(first != second).mean() for first, second in combinations(answers, 2)]
    return float((answers != labels).mean()), float(np.mean(pairs))


def why_too_poor(labels: Integers, answers: Integers, suspected: int) -> str | None:
    """Say why students cannot judge labels; None where they can.

    They can where they contradict labels more than twice as often as one another, a rough rule:
    students that make the same mistakes contradict one another less often than they err. Up to 1 %
    of the labels may be suspected whoever is to blame.

    Args:
        labels: [N].
        answers: [students, N].
        suspected: labels.
    """
    if suspected <= _FEW * len(labels):
        return None
    if len(answers) == 1:
        return (
            "one student cannot tell wrong labels from its own mistakes; with two seeds or more "
            "students can"
        )
    of_labels, of_models = contradictions(labels, answers)
    if of_labels > 2 * of_models:
        return None
    return (
        f"the students are too poor to judge labels, as they contradict one another in "
        f"{text.percent(of_models)} of the images and the labels in {text.percent(of_labels)}, so "
        "that at least about half of these are their own mistakes"
    )


def find_label_errors(
    dataset: PreparedDataset,
    students: Sequence[Opener],
    teacher: Callable[[str], TeacherAnswers | None],
) -> tuple[LabelErrors | Refusal, dict[str, Any]]:
    """Judge the labels of the validation and calibration splits.

    Probabilities are the mean of the students', averaged with the teacher's where that answers.

    Args:
        students: that were taught by labels alone, a seed each.
        teacher: gives its answers to a split; None where it has none.

    Returns:
        what was found, or why labels cannot be judged; and `images`, those that are shown.
    """
    if reason := _why_not(dataset, students):
        return Refusal(refused=reason), {}
    splits = [split for split in JUDGED if not dataset.labels_from(split)]
    images = {split: dataset.images(split) for split in splits}
    labels = np.concatenate([dataset.labels(split) for split in splits])
    by_student = []
    for opener in students:
        network = opener()
        logits = np.concatenate([network(images[split]) for split in splits])
        by_student.append(_probabilities(logits))
    probabilities = np.mean(by_student, axis=0)
    teacher_classes = np.full(len(labels), -1)
    start = 0
    for split in splits:
        part = slice(start, start + len(images[split]))
        if answers := teacher(split):
            teacher_probabilities = _probabilities(answers.logits)
            mean = (probabilities[part] + teacher_probabilities) / 2
            probabilities[part] = np.where(answers.rows[:, None], mean, probabilities[part])
            teacher_classes[part] = np.where(answers.rows, teacher_probabilities.argmax(axis=1), -1)
        start = part.stop
    estimate = confident_learning(labels, probabilities)
    answers_by_student = np.array([student.argmax(axis=1) for student in by_student])
    if reason := why_too_poor(labels, answers_by_student, len(estimate.issues)):
        return Refusal(refused=reason), {}
    split_rows = [(split, row) for split in splits for row in range(len(images[split]))]
    names = {split: dataset.names(split) for split in splits}
    shown = estimate.issues[:MOST_SHOWN].tolist()
    classes = dataset.class_names
    suspected = [
        SuspectedLabel(
            name=names[split][row],
            split=split,
            given=classes[labels[index]],
            suggested=classes[estimate.confident_class[index]],
            margin=float(estimate.margins[index]),
            students=int((answers_by_student[:, index] == estimate.confident_class[index]).sum()),
            teacher=classes[teacher_classes[index]] if teacher_classes[index] >= 0 else None,
        )
        for index in shown
        for split, row in [split_rows[index]]
    ]
    record = LabelErrors(
        images={split: len(images[split]) for split in splits},
        students=len(students),
        teacher=int((teacher_classes >= 0).sum()),
        estimated=float(1 - np.trace(estimate.joint)),
        found=len(estimate.issues),
        shown=tuple(suspected),
    )
    pixels = [images[split][row] for split, row in map(split_rows.__getitem__, shown)]
    return record, {"images": np.stack(pixels)} if pixels else {}


def _why_not(dataset: PreparedDataset, students: Sequence[Opener]) -> str | None:
    if task_of(dataset.task).per_pixel:
        return "labels of pixels are not judged"
    if all(dataset.labels_from(split) for split in JUDGED):
        return "the teacher's answers stand in the place of labels"
    return None if students else NO_LABELS


def _probabilities(logits: npt.NDArray[Any]) -> Floats:
    return softmax(np.asarray(logits, np.float64))
