"""Show where the time of a run went: a bar a stage, and a trace for a browser."""

from collections.abc import Mapping
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kdtasks.core.files import write_json
from kdtasks.core.text import duration
from kdtasks.orchestrate.runner.profile import WORKS, chrome_trace, read_spans, shares

BAR = 40  # characters of the longest
# without colours the letters tell them apart
MARKS = dict(zip(WORKS, ("·", "D", "i", "d", "T", "c", "o"), strict=True))
STYLES = dict(
    zip(WORKS, ("dim", "yellow", "magenta", "cyan", "green", "blue", "white"), strict=True)
)


def show_profile(project: Path, out: Path | None = None) -> None:
    """Print the bars of the last run, and write its trace.

    Args:
        out: the trace's file; None for `report/profile.json` of the project.
    """
    spans = read_spans(project)
    by_stage = shares(spans)
    path = out or project / "report" / "profile.json"
    write_json(path, chrome_trace(spans))
    if by_stage:
        table = Table(box=None, pad_edge=False, show_header=False)
        for justify in ("left", "right", "left"):
            table.add_column(justify=justify, no_wrap=True)
        longest = max(sum(works.values()) for works in by_stage.values())
        for stage, works in by_stage.items():
            table.add_row(stage, duration(sum(works.values())), bar(works, longest))
        Console().print(_legend(by_stage), table, sep="\n")
    typer.echo(f"profile: {path} (open it in chrome://tracing or ui.perfetto.dev)")


def bar(works: Mapping[str, float], longest: float) -> Text:
    """Where the seconds went, in proportion; rounded so that the whole is as long as it should."""
    text, before = Text(), 0.0
    for work, seconds in works.items():
        after = before + seconds
        width = round(BAR * after / longest) - round(BAR * before / longest)
        text.append(MARKS[work] * width, STYLES[work])
        before = after
    return text


def _legend(by_stage: Mapping[str, Mapping[str, float]]) -> Text:
    text = Text()
    for work in WORKS:
        total = sum(works[work] for works in by_stage.values())
        if total:
            text.append(f"{MARKS[work]} {work} {duration(total)}  ", STYLES[work])
    return text
