"""Run the simulations; see `benchmarks.evidence`."""

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.evidence import __doc__ as description
from benchmarks.evidence.accuracies import ACCURACIES
from benchmarks.evidence.classes import CLASSES
from benchmarks.evidence.drift import DRIFT
from benchmarks.evidence.early_exits import DROP
from benchmarks.evidence.gate import GATE
from benchmarks.evidence.groups import GROUPS
from benchmarks.evidence.guarantee import GUARANTEE
from benchmarks.evidence.improving import IMPROVING
from benchmarks.evidence.labels import LABELS
from benchmarks.evidence.masks import MASKS
from benchmarks.evidence.pairs import PAIRS
from benchmarks.evidence.promise import Promise, Rate
from benchmarks.evidence.seeds import SEEDS
from benchmarks.evidence.slices import SLICES
from benchmarks.evidence.sweep import SWEEP
from benchmarks.evidence.teachers import TEACHERS
from benchmarks.evidence.wrong_labels import WRONG_LABELS
from kdtasks.core.files import write_text

PROMISES = {
    promise.name: promise
    for promise in (
        ACCURACIES,
        PAIRS,
        SEEDS,
        SWEEP,
        IMPROVING,
        MASKS,
        CLASSES,
        DROP,
        GUARANTEE,
        GATE,
        DRIFT,
        LABELS,
        GROUPS,
        TEACHERS,
        WRONG_LABELS,
        SLICES,
    )
}
RESULTS = Path("results/evidence.json")
PAGE = Path("docs/evidence.md")
MARK = "<!-- written by python -m benchmarks.evidence --write -->"


def main() -> None:
    """Print a table a promise, and write the page if asked to."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PROMISES)}; all by default")
    parser.add_argument("--write", action="store_true", help="write results and page")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PROMISES):
        parser.error(f"got {', '.join(sorted(unknown))}; choose from {', '.join(PROMISES)}")
    for name in options.names or PROMISES:
        promise = PROMISES[name]
        rates = list(promise.simulate(promise.many))
        _show(promise, rates)
        if options.write:
            known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            known[name] = [rate._asdict() for rate in rates]
            write_text(RESULTS, json.dumps(known, indent=1, sort_keys=True) + "\n")
    if options.write:
        begin = PAGE.read_text().split(MARK)[0]
        write_text(PAGE, f"{begin}{MARK}\n{render(json.loads(RESULTS.read_text()))}")


def _show(promise: Promise, rates: list[Rate]) -> None:
    table = Table("case", "rate", "promised", "kept", title=promise.sentence)
    for rate in rates:
        table.add_row(rate.case, f"{rate.events / rate.trials:.1%}", limit(rate), str(rate.kept()))
    Console().print(table)


def limit(rate: Rate) -> str:
    """Write what is promised of a rate; nothing where nothing is."""
    if rate.at_most is not None:
        return f"≤ {100 * rate.at_most:.3g}%"
    return "" if rate.at_least is None else f"≥ {100 * rate.at_least:.3g}%"


def render(results: dict[str, list[dict[str, object]]]) -> str:
    """Write the page's part below the mark."""
    lines = []
    for name, promise in PROMISES.items():
        rates = [Rate(**rate) for rate in results.get(name, [])]  # type: ignore[arg-type]
        lines += [f"\n## `{name}`\n", promise.sentence]
        for table in _tables(rates):
            events = list(dict.fromkeys(event for row in table.values() for event in row))
            trials = next(iter(next(iter(table.values())).values())).trials
            heads, cells = zip(*(_column(event, table) for event in events), strict=True)
            lines.append(f"\n| {trials:,} trials each | {' | '.join(heads)} |")
            lines.append("|---" * (1 + len(events)) + "|")
            for setting, *row in zip(table, *cells, strict=True):
                lines.append(f"| {setting} | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _column(event: str, table: dict[str, dict[str, Rate]]) -> tuple[str, list[str]]:
    """Write head and cells of an event; a promise of all its rates stands in the head, once."""
    rates = [row.get(event) for row in table.values()]
    texts = [f"{rate.events / rate.trials:.1%}" if rate else "" for rate in rates]
    promised = [f" ({limit(rate)})" if rate and limit(rate) else "" for rate in rates]
    once = {it for rate, it in zip(rates, promised, strict=True) if rate}
    if len(once) == 1:
        return event + once.pop(), texts
    return event, [text + it for text, it in zip(texts, promised, strict=True)]


def _tables(rates: list[Rate]) -> list[dict[str, dict[str, Rate]]]:
    """Settings down, events across; a rate that shares neither begins another table."""
    tables: list[dict[str, dict[str, Rate]]] = []
    known: set[object] = set()
    for rate in rates:
        setting, _, event = rate.case.rpartition(": ")
        if not known & {(setting, rate.trials), (event, rate.trials)}:
            tables.append({})
            known = set()
        known |= {(setting, rate.trials), (event, rate.trials)}
        tables[-1].setdefault(setting, {})[event] = rate
    return tables


if __name__ == "__main__":
    main()
