"""Write a decision down: for a terminal, and as Markdown with a table of both models."""

from kdtasks.core.latency import STATISTICS, statistic_name
from kdtasks.core.text import (
    kilobytes,
    milliseconds,
    percent,
    percent_range,
    plain,
    points,
    points_range,
)
from kdtasks.deploy.gate.decision import Contender, GateDecision, accuracy_interval, images_of

HEADLINES = {
    "promote": "the new model may be promoted",
    "keep": "unchanged",
    "nothing": "nothing to do",
}


def decision_lines(decision: GateDecision) -> list[str]:
    """A line for the decision, then one for every limit and note, with plain spaces alone."""
    notes = [f"note: {note}" for note in decision.notes]
    lines = [_headline(decision), *(f"  {line}" for line in (*_limits(decision), *notes))]
    return [plain(line) for line in lines]


def decision_message(decision: GateDecision) -> str:
    """What speaks for the decision, in one line with plain spaces alone."""
    return plain("; ".join(decision.reasons))


def decision_markdown(decision: GateDecision, *, confidence: float) -> str:
    """The decision, both models beside each other, and the reasons.

    Args:
        confidence: level of the one-sided bounds; the intervals shown have them as ends.
    """
    parts = [f"## {_headline(decision)}"]
    if decision.candidate:
        parts.append(_table(decision.candidate, decision, confidence))
    if decision.candidate and (comparison := decision.comparison):
        parts.append(
            f"New less production, on the same {images_of(decision.candidate.score)}: "
            f"**{points(comparison.difference)}**, "
            f"{percent(2 * confidence - 1, 0)} interval "
            f"{points_range((comparison.lower, comparison.upper))}. "
            f"{comparison.sentence(decision.alias)}"
        )
    sentences = (*_limits(decision, broken="**broken**"), *decision.notes)
    parts.append("\n".join(f"- {words}" for words in sentences))
    return "\n\n".join(parts)


def _limits(decision: GateDecision, broken: str = "BROKEN") -> list[str]:
    return [f"{'holds' if check.holds else broken}: {check.reason}" for check in decision.checks]


def _headline(decision: GateDecision) -> str:
    version = f", version {decision.version}" if decision.version else ""
    return f"{decision.model}@{decision.alias}{version}: {HEADLINES[decision.action]}"


def _table(candidate: Contender, decision: GateDecision, confidence: float) -> str:
    latencies = [
        f"{statistic_name(statistic)} latency{', judged' * (statistic == decision.statistic)}"
        for statistic in STATISTICS
    ]
    columns = [("", "---", f"test {candidate.score.metric.name}", "file", *latencies)]
    for role, contender in (("new", candidate), (decision.alias, decision.production)):
        if contender:
            interval = percent_range(accuracy_interval(contender.score, confidence))
            accuracy = f"{percent(contender.score.value)} ({interval})"
            taken = [milliseconds(contender.latency_ms.of(statistic)) for statistic in STATISTICS]
            columns.append(
                (f"{role}: {contender.title}", "---", accuracy, kilobytes(contender.size), *taken)
            )
    return "\n".join(f"| {' | '.join(row)} |" for row in zip(*columns, strict=True))
