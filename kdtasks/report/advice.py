"""What to try next: one plain rule for each proposal.

no teacher, or a better one: the distilled student is certainly worse than the one alone.
a better teacher: it is worse than the student alone.
check labels: at least 1 % of the labels that were judged look wrong.
more labels of a class: its recall is the lowest of all, the interval of it ends below the mean of
    the recalls, and students see no more labels of it than of the median class.
more epochs: a model was still improving when training ended.
a larger student: the distilled one is a point or more below the teacher on the validation split,
    and on the training split too, so that it does not overfit: it cannot follow.
more seeds: the gain is inconclusive, and its spread says how many would tell, or there are fewer
    than three.
another loss or temperature: no gain is shown, though the teacher is a point or more better, and
    has weight.

The rules say where to look first. Each proposal is to be tried, and none is a result.
"""

from statistics import median
from typing import NamedTuple

from kdtasks.core import text
from kdtasks.core.records import Refusal
from kdtasks.core.records.label_errors import LabelErrors
from kdtasks.core.records.report import Selection, Statistics
from kdtasks.evaluate.looks import LOOKS
from kdtasks.report.inputs import known
from kdtasks.report.sentences import (
    can_do_without_teacher,
    metric_on,
    poor_teacher,
    still_improving,
)

# A point: what smaller differences are not worth another training.
_POINT = 0.01
# Fraction of the judged labels from which those that look wrong come first.
_MANY_LABELS = 0.01


class Advice(NamedTuple):
    """What to try, and the figures that speak for it."""

    what: str
    why: str


def proposals(
    statistics: Statistics, selection: Selection, label_errors: LabelErrors | Refusal
) -> list[Advice]:
    """Apply every rule; those that change what the others are judged by come first."""
    rules = (
        _harm(statistics) or _teacher(statistics),
        _labels(known(label_errors)),
        _class(statistics, selection),
        _epochs(statistics),
        _student(statistics),
        _seeds(statistics),
        _loss(statistics),
    )
    return list(filter(None, rules))


def _labels(errors: LabelErrors | None) -> Advice | None:
    judged = sum(errors.images.values()) if errors else 0
    if errors is None or not judged or errors.found / judged < _MANY_LABELS:
        return None
    return Advice(
        "Check the labels that look wrong.",
        f"{text.quantity(errors.found, 'label')} of {text.count(judged)} "
        f"{'is' if errors.found == 1 else 'are'} contradicted by models that never saw them "
        "(below): what is measured by wrong labels cannot be mended by training.",
    )


def _harm(statistics: Statistics) -> Advice | None:
    gain, metric = known(statistics.gain), metric_on("test", statistics)
    if gain is None or gain.verdict != "hurts" or not statistics.teacher_has_weight:
        return None
    can_do = can_do_without_teacher(statistics.labels, statistics.data)
    return Advice(
        f"{'Train without this teacher, or take' if can_do else 'Take'} a better teacher.",
        f"The distilled student is {text.points(-gain.mean, signed=False)} {metric.less} than the "
        f"student alone ({text.points_range(gain.interval)}), and every variant comes from it"
        f"{': with distill.alpha: 1.0 labels alone teach it' if can_do else ''}.",
    )


def _teacher(statistics: Statistics) -> Advice | None:
    poor = poor_teacher(statistics)
    return Advice("Take a better teacher, or train it longer.", poor) if poor else None


def _class(statistics: Statistics, selection: Selection) -> Advice | None:
    variant, labels = statistics.variants.get(selection.shown or ""), known(statistics.labels)
    test = known(variant.test) if variant else None
    if not test or not test.by_class or not labels or not labels.by_class:
        return None
    mean = sum(scores.recall for scores in test.by_class.values()) / len(test.by_class)
    name, worst = min(test.by_class.items(), key=lambda item: item[1].recall)
    seen, middle = labels.by_class.get(name, 0), median(labels.by_class.values())
    if worst.interval[1] >= mean or seen > middle:
        return None
    return Advice(
        f"Label more images of class {name}.",
        f"Its recall of {text.percent_with_range(worst.recall, worst.interval)} is the lowest, the "
        f"mean over the classes is {text.percent(mean)}; students see "
        f"{text.quantity(seen, 'label')} of it, and {text.count(middle)} of the median class.",
    )


def _epochs(statistics: Statistics) -> Advice | None:
    sentence = still_improving(statistics)
    return Advice("Train for more epochs.", sentence) if sentence else None


def _student(statistics: Statistics) -> Advice | None:
    curve = statistics.training.get("distill", {}).get("accuracy")
    teacher, reached = (
        model.validation_accuracy for model in (statistics.teacher, statistics.distill)
    )
    if not curve or teacher is None or reached is None:
        return None
    trained = curve.mean[-1]
    if max(trained, reached) > teacher - _POINT:
        return None
    return Advice(
        "Try a larger student.",
        f"At the end the distilled student has {text.percent(trained)} of its training images "
        f"right, as augmented, and {text.percent(reached)} of the validation images; the teacher "
        f"has {text.percent(teacher)} of these: it does not overfit, it cannot follow.",
    )


def _seeds(statistics: Statistics) -> Advice | None:
    gain = known(statistics.gain)
    if gain is None or gain.verdict != "inconclusive" or not statistics.teacher_has_weight:
        return None
    if gain.judged < LOOKS[0].seeds:
        return Advice(
            f"Train with {LOOKS[0].seeds} seeds, better {LOOKS[1].seeds}.",
            f"Of {text.seeds(gain.judged)} nothing is known of how much luck is in the gain.",
        )
    if not gain.seeds_needed:
        return None
    return Advice(
        f"Train with about {text.quantity(gain.seeds_needed, 'more seed')}.",
        f"So many would show a gain of {text.points(gain.mean)} if it stays as it looks; over "
        f"{text.seeds(gain.judged)} its interval is {text.points_range(gain.interval)}.",
    )


def _loss(statistics: Statistics) -> Advice | None:
    gain, metric = known(statistics.gain), metric_on("test", statistics)
    teacher, alone = getattr(statistics.teacher, metric.key), statistics.student.mean
    if gain is None or gain.verdict == "helps" or teacher is None or alone is None:
        return None
    if teacher - alone < _POINT or not statistics.teacher_has_weight:
        return None
    return Advice(
        "Try another loss or temperature (distill.loss).",
        f"The teacher is {text.points(teacher - alone, signed=False)} {metric.more} than the "
        f"student alone, and distillation passed on {text.points(gain.mean)} of it.",
    )
