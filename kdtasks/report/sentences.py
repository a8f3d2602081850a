"""Write numbers and sentences as people read them."""

from typing import Any

from kdtasks.core.text import (
    NOTHING,
    SPACE,
    kilobytes,
    milliseconds,
    percent,
    percent_and_margin,
    points,
    points_range,
    seeds,
)
from kdtasks.edge.scores import ALWAYS, NEVER
from kdtasks.tasks.registry import task_of


def threshold(number: float | None) -> str:
    """Write a threshold of an exit: 0.930, or that it is always or never left."""
    if number is None:
        return NOTHING
    return "never" if number >= NEVER else "always" if number <= ALWAYS else f"{number:.3f}"


def headline(statistics: dict[str, Any], selection: dict[str, Any]) -> str:
    """Say in one sentence what came out; what could not be told is said too."""
    told = f"{'; '.join([*_accuracies(statistics), _shipped(statistics, selection)])}."
    warning = poor_teacher(statistics)
    return f"{warning} {told}" if warning else told


def gain_words(gain: dict[str, Any], number_of_seeds: int) -> str:
    """Say what the seeds show: paired over 3 seeds: +1.3 points (+0.9 to +1.7 points), helps."""
    interval = f" ({points_range(gain['interval'])})" if gain.get("interval") else ""
    text = (
        f"paired over {seeds(number_of_seeds)}: {points(gain['mean'])}{interval}, {verdict(gain)}"
    )
    if gain["verdict"] == "cannot tell" and number_of_seeds < 2:
        return f"{text} from one seed"
    return text


def verdict(gain: dict[str, Any]) -> str:
    """Write a verdict: helps, hurts, or cannot tell, needs about 4 more seeds."""
    return f"{gain['verdict']}{more_seeds(gain)}"


def more_seeds(gain: dict[str, Any]) -> str:
    """Write what a verdict is missing, to stand behind it: `, needs about 4 more seeds`, or ``."""
    needed = gain.get("seeds_needed")
    return f", needs about {needed:,} more seed{'s' * (needed != 1)}" if needed else ""


def poor_teacher(statistics: dict[str, Any]) -> str | None:
    """Say in one sentence that the teacher is worse than the student from scratch; None if not."""
    if not statistics["teacher_worse_than_student"]:
        return None
    metric = task_of(statistics["task"]).metric
    teacher, student = statistics["teacher"][metric.key], statistics["student"]["mean"]
    return (
        f"The teacher ({percent(teacher)}) is {metric.less} than the student alone "
        f"({percent(student)} on average)."
    )


def _accuracies(statistics: dict[str, Any]) -> list[str]:
    teacher, student, distill, gain = (
        statistics[key] for key in ("teacher", "student", "distill", "gain")
    )
    if gain.get("refused"):
        return [f"Teacher and students were not compared ({gain['refused']})"]
    task = task_of(statistics["task"])
    # Of a share of images nobody asks what is meant.
    subject = f"{task.metric.title}: teacher" if task.per_pixel else "Teacher"
    return [
        f"{subject} {percent(teacher.get(task.metric.key))}",
        f"student alone {percent_and_margin(student.get('mean'), student.get('interval'))}, "
        f"distilled {percent_and_margin(distill.get('mean'), distill.get('interval'))} "
        f"({gain_words(gain, len(statistics['seeds']))})",
    ]


def _shipped(statistics: dict[str, Any], selection: dict[str, Any]) -> str:
    chosen = selection["chosen"]
    if chosen is None:
        return "nothing is shipped, no variant is within the limits"
    variant, latency = statistics["variants"][chosen], statistics["latency"][chosen]
    facts = [kilobytes(variant["bytes"])]
    if latency.get("p50") is not None:
        facts.append(f"{milliseconds(latency['p50'])} a picture")
    change = variant["exit_change"]
    if change:
        saved = 1 / change["cost"]
        unsure = " (cannot tell from 0)" if change["verdict"] == "cannot tell" else ""
        compute = "no less" if saved < 1.05 else f"{saved:.1f}×{SPACE}less"
        facts.append(f"{compute} compute by early exits at {points(change['mean'])}{unsure}")
    return f"shipped {chosen} model: {', '.join(facts)}"
