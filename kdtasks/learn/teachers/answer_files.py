"""Read files of answers: the names of images, and one row of numbers for each.

| file | names | numbers | classes |
|---|---|---|---|
| `.npz` | array `names` | array `logits` or `probabilities` [N, C] | array `classes`, if any |
| `.npy`, in a folder | `NAME.names.txt` beside it, one a line | the array [N, C] | not named |
| `.csv` | first column | the others | header |
| `.parquet` | first column | the others | names of the columns |
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.core.safe_files import check_archive, unsafe_below
from kdtasks.data.folders import visible_entries

_KINDS = ("logits", "probabilities")


class AnswerFile(NamedTuple):
    """What a file of answers holds, as it is.

    Attributes:
        names: of the images, [N].
        values: float32 [N, C].
        classes: of the columns, [C]; None where the file does not name them.
        kind: `logits` or `probabilities`; None where the file does not tell.
    """

    names: tuple[str, ...]
    values: np.ndarray
    classes: tuple[str, ...] | None = None
    kind: str | None = None


def read_answer_file(path: Path) -> AnswerFile:
    """Read a file of answers, or the only one in a folder.

    Raises:
        TeacherError: there is none, or it is damaged or not of the form above.
    """
    file = _find(path)
    try:
        answers = READERS[file.suffix.lower()](file)
    except TeacherError:
        raise
    except Exception as error:  # a damaged file may fail in any way inside its reader
        reason = " ".join(str(error).split())[:300]
        raise TeacherError(
            f"teacher.path: {file} could not be read ({type(error).__name__}: {reason}); check "
            "that the file is complete, or write it anew"
        ) from error
    if answers.values.ndim != 2 or len(answers.values) != len(answers.names):
        raise TeacherError(
            f"teacher.path: {file} holds numbers of shape {answers.values.shape} and "
            f"{len(answers.names)} names; one row of numbers for each name was expected"
        )
    return answers


def _find(path: Path) -> Path:
    endings = ", ".join(READERS)
    if path.is_dir():
        if found := unsafe_below(path):
            raise TeacherError(f"teacher.path: {path} holds {found}; copy what it stands for")
        files = [file for file in visible_entries(path) if file.suffix.lower() in READERS]
        if len(files) == 1:
            return files[0]
        raise TeacherError(
            f"teacher.path: the folder {path} holds {len(files)} files of answers ({endings}), one "
            "was expected; name the file, or leave one alone in the folder"
        )
    if not path.is_file():
        raise TeacherError(f"teacher.path: {path} not found; give a file of answers")
    if path.suffix.lower() not in READERS:
        raise TeacherError(
            f"teacher.path: {path} is no file of answers; with teacher.source logits give one of "
            f"{endings}, or set teacher.source to import for a network"
        )
    if path.suffix.lower() == ".npy":
        raise TeacherError(
            f"teacher.path: {path} holds no names, and DVC watches this file alone; put it and its "
            f"list {path.stem}.names.txt into a folder of their own, and give the folder"
        )
    return path


def _read_npz(path: Path) -> AnswerFile:
    check_archive(path)
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        kinds = [kind for kind in _KINDS if kind in arrays.files]
        if "names" not in arrays.files or len(kinds) != 1:
            raise TeacherError(
                f"teacher.path: {path} holds the arrays {', '.join(arrays.files) or 'none'}; "
                "`names` and either `logits` or `probabilities` were expected"
            )
        for key in {"names", "classes"}.intersection(arrays.files):
            if arrays[key].dtype.kind != "U":
                raise TeacherError(
                    f"teacher.path: `{key}` in {path} is of type {arrays[key].dtype}, text was "
                    "expected; write it as np.array(…, dtype=str)"
                )
        classes = tuple(arrays["classes"].tolist()) if "classes" in arrays.files else None
        names, values = tuple(arrays["names"].tolist()), _floats(arrays[kinds[0]])
    return AnswerFile(names, values, classes, kinds[0])


def _read_npy(path: Path) -> AnswerFile:
    listed = path.with_suffix(".names.txt")
    if not listed.is_file():
        raise TeacherError(
            f"teacher.path: {listed} not found; list the images of the rows of {path.name} there, "
            "one name a line"
        )
    names = listed.read_text(encoding="utf-8-sig").splitlines()
    return AnswerFile(tuple(names), _floats(np.load(path, allow_pickle=False)))


def _read_csv(path: Path) -> AnswerFile:
    names: list[str] = []
    values: list[np.ndarray] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        for row in filter(None, rows):
            if len(row) != len(header):
                raise TeacherError(
                    f"teacher.path: line {rows.line_num} of {path} has {len(row)} columns, the "
                    f"header {len(header)}; correct the line, or quote what holds a comma"
                )
            names.append(row[0])
            try:
                values.append(_floats(np.fromiter(map(float, row[1:]), np.float64)))
            except ValueError as error:
                raise TeacherError(
                    f"teacher.path: line {rows.line_num} of {path} ({row[0]}) holds something that "
                    f"is no number ({error}); correct it, with a point before the decimals"
                ) from None
    stacked = np.array(values, np.float32).reshape(len(names), len(header[1:]))
    return AnswerFile(tuple(names), stacked, tuple(header[1:]))


def _read_parquet(path: Path) -> AnswerFile:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise TeacherError(
            f"teacher.path: {path} needs pyarrow, which is not installed; `pip install pyarrow`, "
            "or write the answers as .npz or .csv"
        ) from None
    table = parquet.read_table(path)
    names, *columns = (column.to_numpy() for column in table.columns)
    if not all(isinstance(name, str) for name in names):
        raise TeacherError(
            f"teacher.path: the first column of {path}, {table.column_names[0]!r}, is no text; the "
            "names of the images were expected there"
        )
    values = _floats(np.array(columns).T.reshape(len(names), len(columns)))
    return AnswerFile(tuple(names), values, tuple(table.column_names[1:]))


def _floats(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "fiu":
        raise TeacherError(f"the answers are of type {values.dtype}, numbers were expected")
    with np.errstate(over="ignore"):  # what becomes infinite is refused by whoever looks at it
        return values.astype(np.float32)


READERS: dict[str, Callable[[Path], AnswerFile]] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
