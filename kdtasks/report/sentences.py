"""Write numbers and sentences as people read them."""

from kdtasks.core import text
from kdtasks.core.latency import statistic_name
from kdtasks.core.records import Refusal
from kdtasks.core.records.data import Dataset, Labels
from kdtasks.core.records.evaluate import Gain
from kdtasks.core.records.report import ModelSummary, Selection, Statistics
from kdtasks.edge.scores import ALWAYS, NEVER
from kdtasks.evaluate.looks import LOOKS
from kdtasks.report.inputs import known
from kdtasks.tasks.imbalance import BALANCE_ADVICE, METRIC_ADVICE, uneven_sentence
from kdtasks.tasks.registry import metric_of, task_of
from kdtasks.tasks.task import AGREEMENT, Metric


def threshold(number: float | None) -> str:
    """Write a threshold of an exit: 0.930, or that it is always or never left."""
    if number is None:
        return text.NOTHING
    return "never" if number >= NEVER else "always" if number <= ALWAYS else f"{number:.3f}"


def metric_on(split: str, statistics: Statistics) -> Metric:
    """Give what models are compared by on a split, under its right name."""
    metric = metric_of(task_of(statistics.task), statistics.metric)
    return metric.by(teacher=split in _answered(statistics))


def accuracy_on(split: str, statistics: Statistics) -> str:
    """Call the accuracy of a split by its right name."""
    return AGREEMENT if split in _answered(statistics) else "accuracy"


def _answered(statistics: Statistics) -> tuple[str, ...]:
    data = known(statistics.data)
    return data.teacher_labelled if data else ()


def unknown_accuracy(statistics: Statistics) -> str | None:
    """Say that accuracy is not known, or only of the test split; None where it is known."""
    data = known(statistics.data)
    if not data or not data.teacher_labelled:
        return None
    labelled = [split for split in data.counts if split not in data.teacher_labelled]
    if not labelled:
        return (
            "Accuracy is unknown: no image has a label, so that every figure is agreement with the "
            "teacher, be it right or wrong."
        )
    return (
        f"{'Test accuracy is unknown. ' if 'test' in data.teacher_labelled else ''}Labels are "
        f"known of the {' and '.join(labelled)} split alone: figures of other images are agreement "
        "with the teacher, be it right or wrong."
    )


def uneven_classes(statistics: Statistics) -> str | None:
    """Say what always answering the commonest class of the test split would reach.

    None where the classes are alike, of masks, and where no test image has a label.
    """
    data = known(statistics.data)
    if not data or task_of(statistics.task).per_pixel or "test" in data.teacher_labelled:
        return None
    return uneven_sentence(data.counts["test"].by_class)


def uneven_advice(statistics: Statistics, *, is_balanced: bool) -> str:
    """Say what is used in the place of accuracy, or what to set."""
    metric = metric_on("test", statistics)
    sentence = (
        f"Models are compared by {metric.name} instead."
        if metric.key != "accuracy"
        else f"Models are compared by it all the same: set {METRIC_ADVICE}."
    )
    if is_balanced or "train" in _answered(statistics):
        return sentence
    return f"{sentence} To make up for rare classes set {BALANCE_ADVICE}."


def headline(statistics: Statistics, selection: Selection) -> str:
    """Say in one sentence what came out, and what is inconclusive."""
    sentence = f"{'; '.join([*_accuracies(statistics), _shipped(statistics, selection)])}."
    metric = metric_on("test", statistics)
    warnings = [poor_teacher(statistics)]
    if metric.key == "accuracy" and (uneven := uneven_classes(statistics)):
        warnings.append(f"{uneven}.")
    unknown = unknown_accuracy(statistics) if metric.is_agreement else None
    return " ".join(filter(None, (*warnings, sentence, unknown)))


def gain_words(gain: Gain, number_of_seeds: int) -> str:
    """Say what the seeds show: paired over 3 seeds: +1.3 points (+0.9 to +1.7 points), helps."""
    interval = f" ({text.points_range(gain.interval)})" if gain.interval else ""
    sentence = verdict(gain.verdict, gain.seeds_needed)
    seeds = text.seeds(number_of_seeds)
    if gain.judged < number_of_seeds:
        seeds = f"the first {gain.judged} of {seeds}"
    sentence = f"paired over {seeds}: {text.points(gain.mean)}{interval}, {sentence}"
    if gain.judged < LOOKS[0].seeds:
        return f"{sentence}, as verdicts begin at three seeds"
    return sentence


def verdict(word: str, seeds_needed: int | None) -> str:
    """Write a verdict: helps, hurts, or inconclusive, needs about 4 more seeds."""
    return f"{word}{more_seeds(seeds_needed)}"


def more_seeds(needed: int | None) -> str:
    """Write what a verdict is missing, to stand behind it: `, needs about 4 more seeds`, or ``."""
    return f", needs about {needed:,} more seed{'s' * (needed != 1)}" if needed else ""


def poor_teacher(statistics: Statistics) -> str | None:
    """Say in one sentence that the teacher is worse than the student from scratch; None if not."""
    if not statistics.teacher_worse_than_student:
        return None
    metric = metric_on("test", statistics)
    teacher, student = getattr(statistics.teacher, metric.key), statistics.student.mean
    return (
        f"The teacher ({text.percent(teacher)}) is {metric.less} than the student alone "
        f"({text.percent(student)} on average)."
    )


def can_do_without_teacher(labels: Labels | Refusal, data: Dataset | Refusal) -> bool:
    """Whether labels teach alone where they have all the weight: no image or pixel lacks one."""
    seen, described = known(labels), known(data)
    has_all = seen is None or not (seen.hidden or seen.unlabelled)
    return has_all and (described is None or described.ignore_label is None)


def still_improving(statistics: Statistics) -> str | None:
    """Say which models were still improving when training ended, and what to set; None if none."""
    rising, keys = [], []
    has_own = statistics.student.epochs != statistics.distill.epochs
    for name, key, model in (
        ("the teacher", "teacher.epochs", statistics.teacher),
        (
            "the student alone",
            "student.epochs" if has_own else "distill.epochs",
            statistics.student,
        ),
        ("the distilled student", "distill.epochs", statistics.distill),
    ):
        if model.rise is not None:
            rising.append(f"{name} by {text.points(model.rise, signed=False)}")
            keys.append(key)
    if not rising:
        return None
    # the rise is told by the task's first metric, whatever is judged
    first = metric_of(task_of(statistics.task), None)
    metric = first.by(teacher="validation" in _answered(statistics))
    return (
        f"Still improving when training ended: over the second half of the epochs the validation "
        f"{metric.name} rose, of {', '.join(rising)}. More epochs would probably bring more: "
        f"raise {' and '.join(dict.fromkeys(keys))}."
    )


def _accuracies(statistics: Statistics) -> list[str]:
    gain = statistics.gain
    if statistics.distill.mean is None and isinstance(gain, Refusal):
        return [f"Teacher and students were not compared ({gain.refused})"]
    metric = metric_on("test", statistics)
    # Accuracy over images needs no name.
    subject = "Teacher" if metric.key == "accuracy" else f"{metric.title}: teacher"
    score = getattr(statistics.teacher, metric.key)
    teacher = f"{subject} {'not tested' if score is None else text.percent(score)}"
    if isinstance(gain, Refusal):
        if metric.is_agreement:
            return [f"{metric.title}: distilled {_over_seeds(statistics.distill)}"]
        taught = f"distilled {_over_seeds(statistics.distill)}, and no student alone, as no label"
        return [teacher, f"{taught} of the training split is seen"]
    return [
        teacher,
        f"student alone {_over_seeds(statistics.student)}, distilled "
        f"{_over_seeds(statistics.distill)} ({gain_words(gain, len(statistics.seeds))})",
    ]


def _over_seeds(model: ModelSummary) -> str:
    return text.percent_with_range(model.mean, model.interval or None)


def _shipped(statistics: Statistics, selection: Selection) -> str:
    chosen = selection.chosen
    if chosen is None:
        return "nothing is shipped, no variant is within the limits"
    variant, latency = statistics.variants[chosen], selection.candidates[chosen].latency_ms
    judged = selection.limits.latency_statistic
    facts = [text.kilobytes(variant.bytes)]
    if latency is not None:
        name = statistic_name(judged)
        taken = text.milliseconds(latency.of(judged))
        facts.append(f"{name} {taken} an image{selection.limits.where}")
    change = variant.exit_change
    if change:
        saved = 1 / change.cost
        by_accuracy = metric_on("test", statistics).key == "accuracy"
        of_what = "" if by_accuracy else f" of {accuracy_on('test', statistics)}"
        unsure = " (inconclusive)" if change.verdict == "inconclusive" else ""
        compute = "no less" if saved < 1.05 else f"{saved:.1f}×{text.SPACE}less"
        facts.append(
            f"{compute} compute by early exits at {text.points(change.mean)}{of_what}{unsure}"
        )
    reason = f" ({selection.reason})" if selection.reason else ""
    return f"shipped {chosen} model{reason}: {', '.join(facts)}"
