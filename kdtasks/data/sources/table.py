"""A table of images and their classes."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Self

from pydantic import Field

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.core.text import and_list, quantity
from kdtasks.data.class_names import (
    ClassOrder,
    class_name,
    configured_classes,
    order_classes,
    refuse_look_alikes,
)
from kdtasks.data.folders import files_below, relative_name, require_folder, visible_entries
from kdtasks.data.given_splits import Divided, divide, split_named
from kdtasks.data.group_proposals import grouping_word
from kdtasks.data.image_index import ImageIndex, image_column
from kdtasks.data.sources import Item, Source, sources
from kdtasks.data.tables import ENDINGS, PLAIN_ENDING, Table, find_columns, one_hot, read_table
from kdtasks.edge.formats import SUFFIXES

Role = Literal["image", "label", "split", "group", "weight", "slice"]

_GUESSES = {
    role: names.split()
    for role, names in {
        "image": "path filepath file_path filename file_name file image image_path image_name "
        "image_id imageid img id name",
        "label": "label class target category labels class_name classname label_name breed species",
        "split": "split subset partition set phase",
        "group": "group group_id",
        "weight": "weight sample_weight",
    }.items()
}


class _OpenedTable(NamedTuple):
    table: Table
    file: Path
    columns: dict[str, str]
    labels: tuple[str, ...]  # of each row
    one_hot: tuple[str, ...]  # columns that the labels are made of, if they are
    images: list[list[Path]]  # that each row can mean
    surplus: list[Path]


@sources.register
class ImageTable(Source):
    """Images that a table names, CSV, Parquet or plain text, with the class of each.

    Both lie below `data.path`, images in folders of any depth, called by path, name, or name
    without ending. Columns are found by name, and `prepare` says which: the image, the class (or a
    column of 0 and 1 for each), and optionally split, group and weight of the label.
    """

    task: ClassVar = "classification"
    needs_image_size: ClassVar = True
    refuses_contradictions: ClassVar = True

    name: Literal["table"] = "table"
    file: str | None = Field(
        default=None, description="the table, below `data.path`; null takes the only one"
    )
    images: str = Field(
        default=".", description="folder below `data.path` that the images are looked for in"
    )
    columns: dict[Role, str | None] = Field(
        default={},
        description="names of columns that are not found: `image`, `label`, `split`, `group`, "
        "`weight`; null is none. Each value of a `slice` column is scored on its own",
    )
    divided: Divided = "train"
    classes: ClassOrder = None

    def for_folder(self) -> Self:
        return self.model_copy(update={"classes": None})

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return self._names(self._open(folder), folder)

    def items(self, folder: Path) -> Iterator[Item | Problem]:
        """List the rows whose image and class are known.

        Raises:
            DatasetError: the table cannot be read, or a column is not found.
        """
        opened = self._open(folder)
        numbers = {name: number for number, name in enumerate(self._names(opened, folder))}
        groups, weights = self._cells(opened, "group"), self._cells(opened, "weight")
        splits, _ = self._splits(opened)
        rows_of: defaultdict[Path, list[int]] = defaultdict(list)
        cells = opened.table.column(opened.columns["image"])
        for row, images in enumerate(opened.images):
            problem = _image_problem(images, folder)
            problem = problem or _cell_problem(opened.labels[row], weights[row], numbers)
            if problem:
                line = opened.table.lines[row]
                yield Problem(cells[row] or opened.file.name, f"{problem}, line {line}")
            else:
                rows_of[images[0]].append(row)
        for image, rows in rows_of.items():
            name, row = relative_name(image, folder), rows[0]
            given = {(opened.labels[row], splits[row], groups[row], weights[row]) for row in rows}
            if len(given) > 1:
                lines = and_list([str(opened.table.lines[row]) for row in rows])
                yield Problem(name, f"in lines {lines}, not alike in all columns")
            else:
                weight = float(weights[row] or 1.0)
                label, group = numbers[opened.labels[row]], groups[row] or None
                yield Item(name, image, label, splits[row], group, weight)

    def slices(self, folder: Path) -> Mapping[str, str]:
        """Read the column, which nothing else depends on; rows that differ put an image nowhere."""
        opened = self._open(folder)
        column = find_columns(opened.table, {"slice": ()}, self.columns).get("slice")
        cells_of: defaultdict[str, set[str]] = defaultdict(set)
        cells = opened.table.column(column) if column else ()
        for images, cell in zip(opened.images, cells, strict=column is not None):
            if images:
                cells_of[relative_name(images[0], folder)].add(cell)
        only = {name: next(iter(cells)) for name, cells in cells_of.items() if len(cells) == 1}
        return {name: f"{column}={cell}" for name, cell in only.items() if cell}

    def layout_found(self, folder: Path) -> Sequence[str]:
        opened = self._open(folder)
        used = {*opened.columns.values(), *opened.one_hot}
        roles = [f"{role} in {column!r}" for role, column in opened.columns.items()]
        roles += [f"classes in {len(opened.one_hot)} columns of 0 and 1"] if opened.one_hot else []
        table = f"table {relative_name(opened.file, folder)}: {', '.join(roles)}"
        if unused := [column for column in opened.table.columns if column not in used]:
            table += f"; not used: {', '.join(map(repr, unused))}"
        _, sentence = self._splits(opened)
        notes = [f"{table}; {sentence}" if sentence else table]
        if opened.surplus:
            notes.append(
                f"{quantity(len(opened.surplus), 'image')} in no row are left out, such as "
                f"{relative_name(opened.surplus[0], folder)}; in the folder of data.unlabelled the "
                "teacher would answer them"
            )
        return notes

    def warnings(self, folder: Path) -> Sequence[str]:
        """Propose the column that tells which images belong together, where one looks like it."""
        column = self.group_column(folder)
        if column is None:
            return ()
        cells = self._open(folder).table.column(column)
        return [
            f"column {column!r} looks as if several images were of one {grouping_word(column)}: "
            f"{len(set(cells))} for {len(cells)} rows. If so, a model is tested on what it has "
            "learnt; put this into data.source of params.yaml (null in the place of the name "
            f"keeps quiet):\n  columns: {{group: {json.dumps(column, ensure_ascii=False)}}}"
        ]

    def group_column(self, folder: Path, *, least: int = 0) -> str | None:
        """Name the column that looks as if it told groups, where none is known to.

        Args:
            least: groups that it has to give every class.
        """
        opened = self._open(folder)
        if "group" in opened.columns or "group" in self.columns:
            return None
        rest = [column for column in opened.table.columns if column not in opened.columns.values()]
        for column in filter(grouping_word, rest):
            groups = opened.table.column(column)
            pairs = set(zip(opened.labels, groups, strict=True))
            by_class = Counter(label for label, _ in pairs if label)
            is_enough = all(count >= least for count in by_class.values())
            if is_enough and 1 < len(set(groups)) < len(groups):
                return column
        return None

    def named_and_surplus(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """List the images that rows name, and those in no row."""
        opened = self._open(folder)
        return [path for paths in opened.images for path in paths], opened.surplus

    def _open(self, folder: Path) -> _OpenedTable:
        file = self._file(folder)
        table = read_table(file, {name for names in _GUESSES.values() for name in names})
        searched = require_folder(folder / self.images, "the folder of images", key="source.images")
        files = [path for path in files_below(searched) if path.suffix.lower() in SUFFIXES]
        index = ImageIndex(files, searched)
        columns = find_columns(table, _GUESSES, self.columns)
        if self.columns.get("image") is None:
            best = image_column(table, index, columns)
            if best is None:
                raise _unknown("image", table, file, "names the image")
            columns.pop("image", None)
            columns = {"image": best, **{r: c for r, c in columns.items() if c != best}}
        rest = [column for column in table.columns if column not in columns.values()]
        one_hot_labels = None
        if "label" not in columns:
            one_hot_labels = one_hot(table, rest)
            if one_hot_labels is None and len(rest) != 1:
                raise _unknown("label", table, file, "holds the class")
            if one_hot_labels is None:
                columns["label"] = rest[0]
        labels = tuple(map(class_name, one_hot_labels or table.column(columns["label"])))
        refuse_look_alikes(sorted(set(labels)))
        images = index.find_all(table.column(columns["image"]))
        named = {path for paths in images for path in paths}
        return _OpenedTable(
            table,
            file,
            columns,
            labels,
            tuple(rest) if one_hot_labels else (),
            images,
            [path for path in files if path not in named],
        )

    def _names(self, opened: _OpenedTable, folder: Path) -> tuple[str, ...]:
        return order_classes(set(opened.labels) - {""}, configured_classes(self.classes, folder))

    def _file(self, folder: Path) -> Path:
        require_folder(folder, "the folder that holds the table")
        if self.file is not None:
            return folder / self.file
        files = list(visible_entries(folder))
        tables = [path for path in files if path.suffix.lower() in ENDINGS]
        tables = tables or [path for path in files if path.suffix.lower() == PLAIN_ENDING]
        if len(tables) != 1:
            names = f" ({', '.join(path.name for path in tables)})" if tables else ""
            raise DatasetError(
                f"{folder} holds {quantity(len(tables), 'table')}{names}, one of "
                f"{', '.join((*ENDINGS, PLAIN_ENDING))} was expected; name it in source.file"
            )
        return tables[0]

    def _cells(self, opened: _OpenedTable, role: Role) -> tuple[str, ...]:
        if role not in opened.columns:
            return ("",) * len(opened.table.rows)
        return opened.table.column(opened.columns[role])

    def _splits(self, opened: _OpenedTable) -> tuple[list[str | None], str]:
        cells = self._cells(opened, "split")
        named = {cell: split_named(cell) for cell in set(cells)}
        if unknown := sorted(cell for cell, split in named.items() if cell and split is None):
            raise DatasetError(
                f"column {opened.columns['split']!r} of {opened.file} holds {unknown[0]!r}, which "
                "is no split; write train, validation, calibration, test or nothing, or set "
                "source.columns.split to null"
            )
        return divide([named[cell] for cell in cells], self.divided)


def _image_problem(images: Sequence[Path], folder: Path) -> str | None:
    """Say what is wrong with the images that a row can mean."""
    if len(images) > 1:
        both = and_list([relative_name(path, folder) for path in images[:2]])
        return f"may be {both}; give its folder, or set source.images"
    return None if images else "no such image, though the table names it"


def _cell_problem(label: str, weight: str, numbers: Mapping[str, int]) -> str | None:
    """Say what is wrong with the cells of a row."""
    if not label:
        return "no class"
    if weight and not _is_weight(weight):
        return f"its weight is {weight!r}, a number above 0 was expected"
    return None if label in numbers else f"{label!r} is no class that source.classes names"


def _is_weight(cell: str) -> bool:
    try:
        return 0.0 < float(cell) < math.inf
    except ValueError:
        return False


def _unknown(role: Role, table: Table, file: Path, what: str) -> DatasetError:
    return DatasetError(
        f"{file}: it is not clear which column {what}; the columns are "
        f"{', '.join(table.columns)}, so set source.columns: {{{role}: …}}"
    )
