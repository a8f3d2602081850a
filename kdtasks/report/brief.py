"""The top of the page: four sentences for whoever decides, without a word of statistics unsaid.

What ships, what that costs in accuracy, what it saves, and whether distillation was worth it.
"""

from kdtasks.core import text
from kdtasks.core.latency import statistic_name
from kdtasks.core.records.evaluate import Evaluation
from kdtasks.core.records.report import Selection, Statistics
from kdtasks.report.inputs import known
from kdtasks.report.sentences import metric_on, more_seeds
from kdtasks.tasks.registry import task_of

_WORTH = {
    "helps": "Distillation was worth it",
    "hurts": "Distillation did harm, and every variant comes from it",
    "inconclusive": "Whether distillation was worth it is inconclusive",
}


def brief(statistics: Statistics, selection: Selection) -> tuple[str, str, str, str]:
    """Say in four sentences what ships, its cost in accuracy, its saving, and what taught it.

    Where nothing is within the limits, cost and saving are those of the variant that comes nearest.
    """
    return (
        _ships(statistics, selection),
        _costs(statistics, selection),
        _saves(statistics, selection),
        _worth(statistics),
    )


def images_taught(statistics: Statistics) -> int:
    """Count the images that the teacher answers for the distilled student, labelled or not."""
    labels = known(statistics.labels)
    if labels is None:
        return 0
    excluded = statistics.unlabelled.excluded if statistics.unlabelled else 0
    return labels.train + labels.hidden + labels.unlabelled - excluded


def _ships(statistics: Statistics, selection: Selection) -> str:
    if selection.chosen is None:
        nearest = f"; {selection.nearest} comes nearest" if selection.nearest else ""
        return f"Nothing ships: no variant is within the limits{nearest}."
    judged = selection.limits.latency_statistic
    size = text.kilobytes(statistics.variants[selection.chosen].bytes)
    times = selection.candidates[selection.chosen].latency_ms
    time = (
        f" that takes {text.milliseconds(times.of(judged))} an image ({statistic_name(judged)})"
        f"{selection.limits.where}"
        if times
        else ""
    )
    return f"{selection.chosen} ships, a file of {size}{time}."


def _costs(statistics: Statistics, selection: Selection) -> str:
    test, metric = _test(statistics, selection), metric_on("test", statistics)
    if test is None:
        return "What it costs in accuracy is not known: no variant was tested."
    subject = f"On {_tested(statistics, test)} its {metric.name} is"
    score = test.score(metric.key)
    reached = f"{subject} {text.percent_with_range(score, test.interval)}"
    teacher = getattr(statistics.teacher, metric.key)
    if teacher is None:
        return f"{reached}; the teacher has none to compare it with."
    lost = teacher - score
    words = "less" if lost >= 0 else "more"
    return (
        f"{reached}, {text.points(abs(lost), signed=False)} {words} than the teacher’s "
        f"{text.percent(teacher)}."
    )


def _saves(statistics: Statistics, selection: Selection) -> str:
    variant = statistics.variants.get(selection.shown or "")
    if variant is None or not variant.macs:
        return "What it saves is not known: no variant was built."
    test = known(variant.test)
    used = variant.macs[-1] * (test.cost if test else 1.0)
    compute = f"It computes {text.millions(used)} multiply-accumulates an image"
    if statistics.teacher.macs:
        compute += f", {_times(statistics.teacher.macs / used)} the teacher’s"
    parts = [compute]
    if variant.exit_change and variant.exit_change.cost < 1:
        parts.append(f"early exits leave out {text.percent(1 - variant.exit_change.cost, 0)} of it")
    if statistics.teacher.parameters and variant.parameters:
        fewer = _times(statistics.teacher.parameters / variant.parameters)
        parts.append(f"its {text.count(variant.parameters)} parameters are {fewer} the teacher’s")
    return f"{text.and_list(parts)}."


def _worth(statistics: Statistics) -> str:
    gain = known(statistics.gain)
    if gain is None:
        reason = getattr(statistics.gain, "refused", "")
        return f"Whether distillation was worth it is unknown: {reason}."
    if not statistics.teacher_has_weight:
        return (
            "Nothing was distilled: with distill.alpha: 1.0 the teacher has no weight, and labels "
            "alone taught every student."
        )
    metric, rows = metric_on("test", statistics), statistics.rows or 0
    interval = (
        f" ({statistics.confidence * 100:g}{text.SPACE}% interval "
        f"{text.points_range(gain.interval)})"
        if gain.interval
        else ""
    )
    what = "patches" if task_of(statistics.task).per_pixel else "images"
    seeds = f"over {text.seeds(gain.judged)} and {rows:,} test {what}"
    sentence = (
        f"{_WORTH[gain.verdict]}{more_seeds(gain.seeds_needed)}: {seeds} it changed the "
        f"{metric.name} by {text.points(gain.mean)}{interval}"
    )
    labels = known(statistics.labels)
    if labels is None:
        return f"{sentence}."
    given = text.quantity(labels.train, "label")
    answered = text.quantity(images_taught(statistics), "image")
    return (
        f"{sentence}; both students were given {given}, the distilled one a teacher’s answers to "
        f"{answered} too."
    )


def _test(statistics: Statistics, selection: Selection) -> Evaluation | None:
    variant = statistics.variants.get(selection.shown or "")
    return known(variant.test) if variant else None


def _tested(statistics: Statistics, test: Evaluation) -> str:
    what = "test patch" if task_of(statistics.task).per_pixel else "test image"
    return f"{test.rows:,} {what}{'es' if what.endswith('ch') else 's'}"


def _times(factor: float) -> str:
    """Write a saving: a 12th of, about as many as, 1.4 times."""
    if factor >= 2:
        return (
            f"{factor:,.0f} times fewer than" if factor >= 10 else f"{factor:.1f} times fewer than"
        )
    return "about as many as" if factor > 0.95 else f"{1 / factor:.1f} times"
