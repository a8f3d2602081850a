"""Write numbers and sentences as people read them."""

from typing import Any

from kdtasks.edge.scores import ALWAYS, NEVER
from kdtasks.report.measures import MEASURES

MINUS, SPACE = "−", "\u00a0"
NOTHING = "–"
Pair = tuple[float, float] | list[float]


def plain(text: str) -> str:
    """Put plain spaces for those that do not break, for whoever shows these as escapes."""
    return text.replace(SPACE, " ")


def percent(share: float | None, digits: int = 1) -> str:
    """Write 0.979 as 97.9 %."""
    return NOTHING if share is None else f"{share * 100:.{digits}f}{SPACE}%"


def percent_range(interval: Pair | None) -> str:
    """Write (0.942, 0.961) as 94.2 – 96.1 %."""
    if interval is None:
        return "interval not known"
    return f"{interval[0] * 100:.1f}{SPACE}–{SPACE}{interval[1] * 100:.1f}{SPACE}%"


def percent_and_margin(mean: float | None, interval: Pair | None) -> str:
    """Write a mean over seeds with half of its interval: 96.4 ± 0.2 %."""
    if mean is None or interval is None:
        return percent(mean)
    margin = (interval[1] - interval[0]) / 2
    return f"{mean * 100:.1f}{SPACE}±{SPACE}{margin * 100:.1f}{SPACE}%"


def points(difference: float | None, digits: int = 1, *, signed: bool = True) -> str:
    """Write a difference of shares in percentage points: +1.3 points."""
    if difference is None:
        return NOTHING
    number = f"{difference * 100:{'+' if signed else ''}.{digits}f}"
    if float(number) == 0:
        number = number.strip("+-")
    return f"{number.replace('-', MINUS)}{SPACE}points"


def points_range(interval: Pair | None) -> str:
    """Write an interval of a difference in percentage points."""
    if interval is None:
        return "interval not known"
    low, high = (f"{end * 100:+.1f}".replace("-", MINUS) for end in interval)
    return f"{low}{SPACE}to{SPACE}{high}{SPACE}points"


def kilobytes(number: float | None) -> str:
    """Write bytes in kB of 1,000 bytes, from a million on in MB."""
    if number is None:
        return NOTHING
    if number >= 1e6:
        return f"{number / 1e6:.1f}{SPACE}MB"
    return f"{number / 1000:.{0 if number >= 1e5 else 1}f}{SPACE}kB"


def milliseconds(number: float | None) -> str:
    """Write milliseconds with two significant digits or more."""
    if number is None:
        return NOTHING
    digits = 3 if number < 0.1 else 2 if number < 10 else 0
    return f"{number:.{digits}f}{SPACE}ms"


def count(number: float | None) -> str:
    """Write a whole number in groups of three: 12,345."""
    return NOTHING if number is None else f"{number:,.0f}"


def millions(number: float | None) -> str:
    """Write multiply-accumulates: 840, 12.3 k, 1.23 M."""
    if number is None:
        return NOTHING
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}{SPACE}{unit}"
    return f"{number:.0f}"


def threshold(number: float | None) -> str:
    """Write a threshold of an exit: 0.930, or that it is always or never left."""
    if number is None:
        return NOTHING
    return "never" if number >= NEVER else "always" if number <= ALWAYS else f"{number:.3f}"


def seeds(number: int) -> str:
    """Write a number of seeds."""
    return f"{number}{SPACE}seed" + ("" if number == 1 else "s")


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
    measure = MEASURES[statistics["task"]]
    teacher, student = statistics["teacher"][measure.key], statistics["student"]["mean"]
    return (
        f"The teacher ({percent(teacher)}) is {measure.less} than the student alone "
        f"({percent(student)} on average)."
    )


def _accuracies(statistics: dict[str, Any]) -> list[str]:
    teacher, student, distill, gain = (
        statistics[key] for key in ("teacher", "student", "distill", "gain")
    )
    if gain.get("refused"):
        return [f"Teacher and students were not compared ({gain['refused']})"]
    return [
        f"{_subject(statistics)} {percent(teacher.get(MEASURES[statistics['task']].key))}",
        f"student alone {percent_and_margin(student.get('mean'), student.get('interval'))}, "
        f"distilled {percent_and_margin(distill.get('mean'), distill.get('interval'))} "
        f"({gain_words(gain, len(statistics['seeds']))})",
    ]


def _subject(statistics: dict[str, Any]) -> str:
    return "Mean IoU: teacher" if statistics["task"] == "segmentation" else "Teacher"


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
