"""Read a table, CSV, Parquet or plain text, as text; and guess which column is which."""

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kdtasks.core.errors import DatasetError, did_you_mean
from kdtasks.core.safe_files import regular

ENDINGS = (".csv", ".tsv", ".parquet")
# Lists such as `train.txt`; a table where there is no other, for notes are called so too.
PLAIN_ENDING = ".txt"

_SEPARATORS = ",;\t|"


class Table(NamedTuple):
    """A table: the names of its columns, its cells without spaces around them, [rows, columns].

    `lines` are where each row begins in the file, from 1; of Parquet they count rows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def column(self, name: str) -> tuple[str, ...]:
        """The cells of a column, from the first row down."""
        column = self.columns.index(name)
        return tuple(row[column] for row in self.rows)


def read_table(path: Path, known: Collection[str] = ()) -> Table:
    """Read a table with a header; of CSV the separator is found out: comma, semicolon, tab or bar.

    A `.txt` without these has tabs or else spaces between its columns: a path with spaces has to
    be the first of two. Where no name in the first line is `known`, it is a row, and columns are
    called `path`, `label`, `column 3` and so on. Lines that begin with `#` are passed over.

    Raises:
        DatasetError: the file is missing, damaged or of another form.
    """
    try:
        if regular(path).suffix.lower() == ".parquet":
            table = _read_parquet(path)
        else:
            table = _read_plain(path, known) or _read_csv(path)
    except (OSError, ValueError, csv.Error) as error:
        reason = " ".join(str(error).split())[:300]
        raise DatasetError(
            f"{path} cannot be read as a table ({reason}); write it as CSV in UTF-8, with a header"
        ) from None
    if len(set(table.columns)) < len(table.columns) or not table.rows:
        problem = "two columns of one name" if table.rows else "no rows below its header"
        raise DatasetError(f"{path} has {problem}; give it a header and a row for each image")
    return table


def _read_csv(path: Path) -> Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        separator = max(_SEPARATORS, key=file.readline().count)
        file.seek(0)
        reader = csv.reader(file, delimiter=separator, strict=True)
        columns = tuple(cell.strip() for cell in next(reader, []))
        rows: list[tuple[str, ...]] = []
        lines: list[int] = []
        line = reader.line_num
        for row in reader:
            begins, line = line + 1, reader.line_num
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(columns):
                raise ValueError(
                    f"line {begins} has {len(row)} columns, the header {len(columns)}; correct "
                    f"the line, or quote what holds {separator!r}"
                )
            rows.append(tuple(cell.strip() for cell in row))
            lines.append(begins)
    return Table(columns, tuple(rows), tuple(lines))


def _read_plain(path: Path, known: Collection[str]) -> Table | None:
    """Read a `.txt` whose columns have tabs or spaces between; None of any other file."""
    if path.suffix.lower() != PLAIN_ENDING:
        return None
    text = path.read_text(encoding="utf-8-sig")
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines or any(separator in lines[0][1] for separator in ",;|"):
        return None
    gap = "\t" if "\t" in lines[0][1] else None
    width = min(len(line.split(gap)) for _, line in lines)
    rows = [line.rsplit(gap, 1) if width == 2 else line.split(gap) for _, line in lines]
    for (number, _), row in zip(lines, rows, strict=True):
        if len(row) != width:
            raise ValueError(
                f"line {number} has {len(row)} columns, others {width}; write it as CSV, and quote "
                "what holds spaces"
            )
    columns = ["path", "label", *(f"column {number}" for number in range(3, width + 1))][:width]
    if any(_plain_name(cell) in known for cell in rows[0]):
        columns, rows, lines = rows[0], rows[1:], lines[1:]
    cells = tuple(tuple(cell.strip() for cell in row) for row in rows)
    return Table(tuple(columns), cells, tuple(number for number, _ in lines))


def _plain_name(column: str) -> str:
    return column.casefold().replace(" ", "_").replace("-", "_")


def _read_parquet(path: Path) -> Table:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise DatasetError(
            f"{path} needs pyarrow, which is not installed; `pip install pyarrow`, or write the "
            "table as .csv"
        ) from None
    found = parquet.read_table(path)
    columns = [["" if cell is None else str(cell) for cell in column.to_pylist()]
               for column in found.columns]  # fmt: skip
    rows = tuple(zip(*columns, strict=True))
    return Table(tuple(found.column_names), rows, tuple(range(1, len(rows) + 1)))


def find_columns(
    table: Table, guesses: Mapping[str, Sequence[str]], given: Mapping[Any, str | None]
) -> dict[str, str]:
    """Say which column plays which role; a role that no column plays is not there.

    Args:
        guesses: names that a column of each role may have, likeliest first, in small letters with
            `_` for spaces and hyphens.
        given: what the user says; None is no column.

    Raises:
        DatasetError: the user names a column that there is not.
    """
    plain = {_plain_name(column): column for column in reversed(table.columns)}
    columns: dict[str, str] = {}
    for role, names in guesses.items():
        column = given.get(role, next((plain[name] for name in names if name in plain), None))
        if column is not None and column not in table.columns:
            raise DatasetError(
                f"source.columns.{role}: there is no column {column!r}; the columns are "
                f"{', '.join(table.columns)}{did_you_mean(column, table.columns)}"
            )
        if column is not None and column not in columns.values():
            columns[role] = column
    return columns


def one_hot(table: Table, columns: Sequence[str]) -> tuple[str, ...] | None:
    """Read columns of 0 and 1, one for each class, as the name of the one that is 1 in each row.

    Returns: None where some row is not of that form, or there are fewer than two columns.
    """
    cells = [table.column(column) for column in columns]
    try:
        numbers = [[float(cell) for cell in row] for row in zip(*cells, strict=True)]
    except ValueError:
        return None
    if len(columns) < 2 or any(sorted(row)[-2:] != [0.0, 1.0] or min(row) for row in numbers):
        return None
    return tuple(columns[row.index(1.0)] for row in numbers)
