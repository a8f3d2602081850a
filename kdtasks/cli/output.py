"""What commands share: the project, tables, JSON, and the end by Ctrl-C."""

import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

import typer

from kdtasks.cli.status import Status
from kdtasks.core.text import printable

UNLIMITED = 10_000  # columns of a table where the output is no terminal: lines are never wrapped


def find_project() -> Path:
    """Find the project that the current folder is in; what that takes is imported when needed."""
    from kdtasks.orchestrate.project.project import find_project

    return find_project()


def print_json(content: Any) -> None:
    """Print indented JSON; paths and times become text."""
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, default=str))


def print_result(content: Any, text: str, *, as_json: bool) -> None:
    """Print what a command found: as JSON, or for people."""
    if as_json:
        print_json(content)
    else:
        typer.echo(text)


@contextmanager
def json_output(as_json: bool) -> Iterator[Callable[[Any], None]]:
    """Print a result as JSON at the end, where that is wanted, and all else on standard error.

    Yields: a function that takes the result.
    """
    results: list[Any] = []
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield results.append
    if as_json:
        print_json(results[-1] if results else None)


def print_table(
    rows: Iterable[Sequence[str]],
    headings: Sequence[str] = (),
    *,
    right: Collection[str] = (),
    title: str = "",
    width: int = UNLIMITED,
    styles: Iterable[str] = (),
) -> None:
    """Print rows in columns.

    Args:
        rows: cells as they are, of as many columns each.
        headings: of the columns; none for a table without a head.
        right: headings of the columns that stand on the right, as numbers do.
        title: a line above the table.
        width: where longer cells are folded if nobody reads it on a terminal.
        styles: Rich's style of every row.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim", show_header=bool(headings))
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in right else "left",
            no_wrap=heading in right,
            overflow="fold",
        )
    for row, style in zip_longest(rows, styles, fillvalue=""):
        cells = (Text(printable(cell)) for cell in row)
        table.add_row(*cells, style=style or None)  # Text, in which no bracket is markup
    console = Console()
    if not console.is_terminal:
        console = Console(width=width)
    if title:
        typer.echo(f"\n{title}")
    console.print(table)


@contextmanager
def interruptible(after: str) -> Iterator[None]:
    """End Ctrl-C with one line, which says how it goes on, and the status that shells give it."""
    try:
        yield
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            typer.echo(f"interrupted; {after}", err=True)
        raise typer.Exit(Status.INTERRUPTED) from None
