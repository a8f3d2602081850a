"""Forecast from the validation split whether a teacher will help, before students are trained.

The rules and where they come from: docs/distillation.md, "Will it help?".
"""

import math
from typing import Any, NamedTuple

import numpy as np

from kdtasks.core import text
from kdtasks.core.records.data import Labels, TeacherConfidence
from kdtasks.core.records.prospect import Outlook, Prospect, ProspectFigures
from kdtasks.edge.scores import entropy, max_probability
from kdtasks.evaluate.evaluator import Evaluator
from kdtasks.evaluate.metrics import expected_calibration_error
from kdtasks.evaluate.views import Network
from kdtasks.tasks.confusion import counted
from kdtasks.tasks.task import Metric

# A lead of the teacher that is large.
_LARGE = 0.05

# So many times as many images as labels are many.
_MANY = 3

# Bits of an answer that is 99 % sure of one class and leaves the rest to another.
_ONE_HOT = 0.08

# Logits, float32, that are held in memory at a time.
_CHUNK_BYTES = 64_000_000


class _Certainty(NamedTuple):
    agreement: float
    calibration_error: float
    confidence: float
    entropy: float | None


def forecast(
    evaluator: Evaluator[Any],
    teacher: Network,
    student: Network,
    *,
    epochs: int,
    temperature: float | None,
    labels: Labels,
    unlabelled: TeacherConfidence | None,
) -> Prospect:
    """Compare a teacher with a quickly trained student, image by image.

    Args:
        evaluator: of the validation split.
        epochs: that the student was trained.
        temperature: of the distillation; None where its loss does not soften logits as they are.
        labels: how many there are.
        unlabelled: how sure the teacher is of the images without a label; None if there are none.
    """
    taught, alone = evaluator.answer(teacher), evaluator.answer(student)
    # The ends of an interval of level c are one-sided bounds of level (1 + c) / 2.
    level = 0.5 + evaluator.settings.confidence / 2
    paired = taught.paired(alone, method="mcnemar", confidence=level)
    excluded = unlabelled.excluded if unlabelled else 0
    figures = ProspectFigures(
        rows=paired.rows,
        teacher=taught.value,
        student=alone.value,
        epochs=epochs,
        lead=(paired.lower, paired.upper),
        **_certainty(evaluator, teacher, student, temperature)._asdict(),
        temperature=temperature,
        labels=labels.train,
        images=labels.train + labels.hidden + labels.unlabelled - excluded,
        sure=unlabelled.by_confidence[-1] / unlabelled.images if unlabelled else None,
    )
    outlook, advice = advise(figures, evaluator.metric)
    return Prospect(**figures.present(), outlook=outlook, advice=advice)


def advise(figures: ProspectFigures, metric: Metric) -> tuple[Outlook, str]:
    """Say in one sentence what is to be expected of the teacher; the first rule that fits counts.

    Args:
        metric: of the scores.
    """
    low, high = figures.lead
    gap = figures.teacher - figures.student
    interval = text.points_range(figures.lead)
    leads = f"the teacher’s lead over the quick student is {text.points(gap)} ({interval})"
    outlook: Outlook = "inconclusive"
    if high < 0:
        return "will not help", (
            f"will not help: the teacher is {metric.less} than a student of "
            f"{text.quantity(figures.epochs, 'epoch')}, by {text.points(-gap, signed=False)} "
            f"({interval}); train it longer, or take another one"
        )
    if figures.images == figures.labels and low < _LARGE:
        outlook = "little to gain"
        reason = (
            "labels are known for every image; more images without one (data.unlabelled), or fewer "
            "labels, is where a teacher pays"
        )
    elif figures.images == figures.labels:
        reason = (
            f"{leads}, but labels are known for every image, where such leads have helped and hurt"
        )
    elif low <= 0:
        reason = f"{leads}, which may be chance; more validation images would tell"
    elif figures.images >= _MANY * figures.labels or low >= _LARGE:
        outlook = "likely to help"
        reason = (
            f"{leads}, and it answers {text.quantity(figures.images, 'image')}, of which students "
            f"see {text.quantity(figures.labels, 'label')}"
        )
    else:
        reason = (
            f"{leads}, but students see {figures.labels:,} labels of {figures.images:,} images; "
            "more images without a label (data.unlabelled) would make more of it"
        )
    if figures.entropy is not None and figures.entropy < _ONE_HOT:
        reason += (
            f"; at temperature {figures.temperature:g} its answers hold almost nothing beyond the "
            "label: raise distill.temperature"
        )
    return outlook, f"{outlook}: {reason}"


def _certainty(
    evaluator: Evaluator[Any], teacher: Network, student: Network, temperature: float | None
) -> _Certainty:
    """Ask both about all images at once, as the evaluator does, or a few masks at a time."""
    images, labels, dataset = evaluator.images, evaluator.labels, evaluator.dataset
    step = len(labels)
    if evaluator.task.per_pixel:
        step = max(1, _CHUNK_BYTES // (4 * dataset.num_classes * math.prod(labels.shape[1:])))
    parts: list[tuple[np.ndarray, ...]] = []
    for start in range(0, len(labels), step):
        rows = slice(start, start + step)
        counts = counted(labels[rows], dataset.ignore_label)
        logits, others = (network(images[rows])[counts] for network in (teacher, student))
        answers = logits.argmax(axis=-1)
        spread = 1 - entropy(logits, temperature or 1.0)
        same, right = answers == others.argmax(axis=-1), answers == labels[rows][counts]
        parts.append((same, right, max_probability(logits), spread))
    same, right, confidence, spread = (np.concatenate(each) for each in zip(*parts, strict=True))
    # As of one class, 0, that is the label of whatever is right.
    error = expected_calibration_error(confidence[:, None], (~right).astype(np.int64))
    bits = float(spread.mean()) * math.log2(dataset.num_classes)
    return _Certainty(
        float(same.mean()), error, float(confidence.mean()), None if temperature is None else bits
    )
