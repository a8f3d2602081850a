"""What came out of a search, as it is written to search.json and shown on its page."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from kdtasks.core.files import write_text
from kdtasks.core.latency import Statistic, statistic_name
from kdtasks.core.text import NOTHING, duration, kilobytes, milliseconds, percent, points, quantity
from kdtasks.orchestrate.runner.graph import Outcome, StageGraph, StageNode, StageState
from kdtasks.orchestrate.search.engine import SearchEngine, SearchPlan
from kdtasks.orchestrate.search.record import (
    SearchSummary,
    TriedVariant,
    UntriedVariant,
    VariantSearchSummary,
)
from kdtasks.orchestrate.search.trial import TrialResult
from kdtasks.orchestrate.sweep.record import SweptPoint
from kdtasks.orchestrate.sweep.summary import SweepProgress
from kdtasks.params.search import SearchParams
from kdtasks.report.drawing import CSS, standalone, template_environment
from kdtasks.report.selection import Violation, nearest_miss

# The key after a reason; search.json has it.
_KEY = re.compile(r" \(max_\w+\)$")
COLUMNS = ("trial", "accuracy", "lost", "file", "gzipped", "latency", "compute", "time", "limits")
NOTE = (
    "Scores and latencies are those of validation images with early exits, the latter on the "
    "machine that tried; losses are against the float32 student, compute is to the last exit. "
    "The test split was not read."
)
HERE = Path(__file__).parent
FOLDER = Path("report") / "search"


def summarise(
    plan: SearchPlan, engine: SearchEngine, outcomes: Mapping[str, Outcome]
) -> VariantSearchSummary:
    """Say what came out (docs/files.md)."""
    trials: dict[str, TriedVariant | UntriedVariant] = {}
    broken: dict[str, list[Violation]] = {}
    for point in plan.sweep.points:
        outcome = outcomes[point.label]
        result = engine.result(point.label)
        if result is None or not outcome.is_up_to_date:
            trials[point.label] = UntriedVariant(
                **point.about,
                state="skipped" if outcome.state is StageState.SKIPPED else "failed",
                reason=outcome.reason(point.label),
            )
            continue
        broken[point.label] = engine.broken(point.label) or []
        reasons = tuple(violation.reason for violation in broken[point.label])
        trials[point.label] = TriedVariant(**point.about, result=result, broken=reasons)
    nearest = None if engine.winner else nearest_miss(broken)
    best = engine.winner or nearest
    return VariantSearchSummary(
        recipe=plan.sweep.points[0].params.recipe,
        metric=plan.metric,
        limits=plan.limits,
        trials=tuple(trials.values()),
        winner=engine.winner,
        nearest=nearest,
        sentence=_sentence(plan, engine.winner, nearest, broken),
        adopt=adoption(trials[best]) if best else (),
    )


def _sentence(
    plan: SearchPlan,
    winner: str | None,
    nearest: str | None,
    broken: Mapping[str, list[Violation]],
) -> str:
    tried = f"{quantity(len(broken), 'variant')} tried for {limits_text(plan.limits)}"
    if winner:
        return f"{winner} is within all limits: the cheapest of {tried}."
    if not broken:
        return "No variant was tried; the reasons stand beside them."
    if nearest is None:
        return f"None of {tried} can be used; the reasons stand beside them."
    ways = " and ".join(violation.reason for violation in broken[nearest])
    keys = " and ".join(f"search.{violation.limit}" for violation in broken[nearest])
    return (
        f"None of {tried} is within all limits. {nearest} comes nearest: its {ways}. "
        f"Raise {keys}, give more minutes where trials were skipped for time, or train longer."
    )


def adoption(trial: SweptPoint) -> tuple[str, ...]:
    """How to bring a trial into the project: by params.yaml, or by a command."""
    settings = [
        f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in trial.settings.items()
    ]
    return f"in params.yaml {'; '.join(settings)}", f"or dvc exp apply {trial.experiment}"


def headings(metric: str) -> list[str]:
    """What stands over the columns; `metric` is the name of what trials are compared by."""
    return [metric if column == "accuracy" else column for column in COLUMNS]


def limits_text(limits: SearchParams) -> str:
    """Write the limits: at most 20.0 kB, 1.0 points lost."""
    statistic = statistic_name(limits.latency_statistic)
    texts = [
        limits.max_size_kb and kilobytes(1000 * limits.max_size_kb),
        limits.max_gzip_kb and f"{kilobytes(1000 * limits.max_gzip_kb)} gzipped",
        limits.max_arena_kb and f"{kilobytes(1000 * limits.max_arena_kb)} of arena",
        limits.max_latency_ms and f"{milliseconds(limits.max_latency_ms)} {statistic} latency",
        limits.max_macs and f"{percent(limits.max_macs)} of the compute",
        f"{points(limits.max_accuracy_drop, signed=False)} lost",
    ]
    return f"at most {', '.join(text for text in texts if text)}"


def metrics_text(result: TrialResult, statistic: Statistic) -> str:
    """Write the metrics of a trial in one line; empty where it was refused."""
    if result.refused:
        return ""
    return (
        f"{percent(result.accuracy)} ({_lost(result)}), {kilobytes(result.bytes)}, "
        f"{kilobytes(result.gzip_bytes)} gzipped, {statistic_name(statistic)} "
        f"{_latency(result, statistic)}, {percent(result.macs, 0)} of the compute"
    )


def rows(summary: VariantSearchSummary) -> list[dict[str, str]]:
    """The trials as rows of texts, by column; one latency of five."""
    return [_row(trial, summary.limits.latency_statistic) for trial in summary.trials]


def _row(trial: TriedVariant | UntriedVariant, statistic: Statistic) -> dict[str, str]:
    if isinstance(trial, UntriedVariant):
        words = {"trial": trial.label, "limits": f"{trial.state}: {trial.reason}"}
        return dict.fromkeys(COLUMNS, "") | words
    result = trial.result
    taken = NOTHING if result.seconds is None else duration(result.seconds)
    return {
        "trial": trial.label,
        "accuracy": percent(result.accuracy),
        "lost": _lost(result),
        "file": kilobytes(result.bytes),
        "gzipped": kilobytes(result.gzip_bytes),
        "latency": f"{statistic_name(statistic)} {_latency(result, statistic)}",
        "compute": percent(result.macs, 0),
        "time": "cached" if result.cached else taken,
        "limits": "; ".join(_KEY.sub("", reason) for reason in trial.broken) or "within all",
    }


def _lost(result: TrialResult) -> str:
    return NOTHING if result.accuracy_drop is None else points(-result.accuracy_drop)


def _latency(result: TrialResult, statistic: Statistic) -> str:
    return milliseconds(result.latency_ms.of(statistic) if result.latency_ms else None)


def write_page(folder: Path, summary: VariantSearchSummary) -> Path:
    """Write index.html and search.json; returns the page."""
    columns = dict(zip(COLUMNS, headings(summary.metric), strict=True))
    return write_table(folder, summary, columns, rows(summary), NOTE)


def write_table(
    folder: Path,
    summary: SearchSummary,
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, str]],
    note: str,
    images: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write index.html, search.json and images; returns the page.

    Args:
        columns: headings by column, `trial` first.
        rows: texts by column, one row a trial.
        note: what the figures are, in HTML.
        images: `<svg>` elements by name.
    """
    summary.write(folder / "search.json")
    for name, image in images.items():
        write_text(folder / f"{name}.svg", standalone(image))
    template = template_environment(HERE).get_template("template.html")
    style = CSS.read_text(encoding="utf-8")
    page = folder / "index.html"
    texts = {"columns": columns, "rows": rows, "style": style, "note": note, "images": images}
    write_text(page, template.render(**dict(summary), **texts))
    return page


class SearchProgress(SweepProgress):
    """Prints the metrics of every trial as it ends, and which limits it breaks."""

    def __init__(self, plan: SearchPlan, engine: SearchEngine, logs: Path) -> None:
        super().__init__(plan.sweep, logs)
        self._search, self._engine = plan, engine

    def begin(self, graph: StageGraph) -> None:
        """Print what is looked for."""
        self._print(introduction(self._search))

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Print where to read about failures."""
        self._print_failures(outcomes)

    def _print_end(self, node: StageNode, outcome: Outcome) -> None:
        result, broken = self._engine.result(node.name), self._engine.broken(node.name)
        if result is None or broken is None or not outcome.is_up_to_date:
            super()._print_end(node, outcome)
            return
        statistic = self._search.limits.latency_statistic
        taken = "kept" if outcome.state is StageState.CACHED else f"in {duration(outcome.seconds)}"
        parts = [metrics_text(result, statistic), *(violation.reason for violation in broken)]
        verdict = "" if broken else "; within all limits"
        self._print(f"{node.name}: {'; '.join(filter(None, parts))}{verdict} ({taken})")


def introduction(plan: SearchPlan) -> str:
    """Say what is looked for and how many ways there are to try."""
    done = len(plan.sweep.done)
    return (
        f"looking for {limits_text(plan.limits)}, in {plan.limits.minutes:g} minutes: up to "
        f"{quantity(len(plan.candidates), 'trial')}, {done} done already"
    )
