"""Which output of a teacher is which class."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn
from unicodedata import normalize

from kdtasks.core.errors import TeacherError, did_you_mean
from kdtasks.core.files import read_json
from kdtasks.learn.teachers.settings import TeacherParams, paste

# The name, in a list to paste, of an output that is of no class.
_OTHER = "background"

_SHOWN = 5


class PermutedError(TeacherError):
    """A teacher's outputs seem to be in another order than was assumed.

    Attributes:
        names: of all outputs, in the order that they seem to have; None where most have none.
    """

    names: list[str] | None = None


def column_choices(
    params: TeacherParams, class_names: Sequence[str], outputs: int
) -> list[list[int]]:
    """List what the output of each class may be: one choice, or two that the images decide.

    Args:
        class_names: of the dataset.
        outputs: how many the teacher has; a single one counts as two.

    Raises:
        TeacherError: their number or their names do not fit.
    """
    count = len(class_names)
    given = [[name] for name in class_names] if params.classes is None else _given(params)
    if params.classes is not None or outputs in (count, count + 1):
        has_background = outputs == len(given) + 1  # before the others or behind them
        columns = _columns(given, class_names, outputs - has_background)
        return [[column + 1 for column in columns], columns] if has_background else [columns]
    raise TeacherError(
        f"the teacher {params.path} has {outputs} outputs, the dataset {count} classes "
        f"({_some(class_names)}). "
        + (
            "Name all its outputs in its own order, and those of the dataset are taken: give "
            "`kdtasks init` a file of the names, one a line, as `--classes`, or "
            + paste("classes", "[name of output 0, name of output 1, …]")
            if outputs > count
            else "It has to know every class: leave the images of the others out of data.path, or "
            "take another teacher"
        )
    )


def refuse_permuted(
    source: Path,
    columns: Sequence[int],
    class_names: Sequence[str],
    outputs: int,
    reached: tuple[float, float],
) -> NoReturn:
    """Refuse a teacher whose outputs are in another order, with the order that they seem to be in.

    Args:
        columns: the output that each class seems to have.
        outputs: how many there are.
        reached: the accuracy in the order as it is, and in that one.
    """
    names = [_OTHER] * outputs
    for name, column in zip(class_names, columns, strict=True):
        names[column] = name
    has_unnamed = outputs > len(class_names) + 1
    if has_unnamed:
        pairs = (f"{name}: {column}" for name, column in zip(class_names, columns, strict=True))
        advice = (
            f"look at the names of its outputs; counted from 0 they seem to be {', '.join(pairs)}"
        )
    else:
        advice = paste("classes", json.dumps(names, ensure_ascii=False))
    error = PermutedError(
        f"the outputs of {source} look permuted: {reached[0]:.1%} of the validation split is right "
        f"in the order that is assumed, {reached[1]:.1%} if each class has the output that answers "
        f"its images. If that is its order, {advice}"
    )
    error.names = None if has_unnamed else names
    raise error


def _columns(given: Sequence[Sequence[str]], class_names: Sequence[str], outputs: int) -> list[int]:
    """Find the column of each class; an output may have several names."""
    if len(given) != outputs:
        raise TeacherError(
            f"teacher.classes names {len(given)} outputs, the teacher has {outputs}; name each, in "
            "the teacher's own order (a single output counts as two: the class that it is low for, "
            "then the one that it is high for)"
        )
    columns: dict[str, int] = {}
    for column, names in enumerate(given):
        for name in {normalize("NFC", name) for name in names}:
            if columns.setdefault(name, column) != column and name in _composed(class_names):
                raise TeacherError(
                    f"teacher.classes gives the name {name!r} to the outputs {columns[name]} and "
                    f"{column}; a class has one output"
                )
    if missing := [name for name in _composed(class_names) if name not in columns]:
        raise TeacherError(
            f"teacher.classes lacks {len(missing)} of the dataset's classes ({_some(missing)}); "
            f"name them as the dataset does{did_you_mean(missing[0], list(columns))}"
        )
    return [columns[name] for name in _composed(class_names)]


def _composed(names: Sequence[str]) -> list[str]:
    return [normalize("NFC", name) for name in names]


def _given(params: TeacherParams) -> list[list[str]]:
    """Read the names of each output."""
    if not isinstance(params.classes, str):
        return [[name] for name in params.classes or ()]
    file, folder = Path(params.classes), Path(params.path)
    if not folder.is_dir() or not file.resolve().is_relative_to(folder.resolve()):
        raise TeacherError(
            f"teacher.classes: {file} is not in the folder teacher.path, {folder}, and DVC watches "
            "nothing else; put the teacher and the file of its names into one folder, and give "
            "that as teacher.path"
        )
    return read_names(file)


def read_names(file: Path) -> list[list[str]]:
    """Read the names of each output: a `.txt` with one a line, or a `.json`.

    Raises:
        TeacherError: it is missing, or of another form.
    """
    if not file.is_file():
        raise TeacherError(f"teacher.classes: {file} not found; give a list or a file of names")
    try:
        if file.suffix.lower() == ".txt":
            lines = file.read_text(encoding="utf-8-sig").splitlines()
            return [[line.strip()] for line in lines if line.strip()]
        return _from_json(read_json(file))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TeacherError(
            f"teacher.classes: {file} cannot be read ({type(error).__name__}: {error}); expected "
            "one name a line (.txt), or in a .json a list of names, or a mapping from 0, 1, 2 … "
            "to names or the other way round"
        ) from None


def _from_json(content: Any) -> list[list[str]]:
    """Take a list of names, or a mapping from numbers to names or back, as Keras writes both."""
    if isinstance(content, dict):
        if all(isinstance(value, int) for value in content.values()):
            content = {number: name for name, number in content.items()}
        numbered = {int(number): names for number, names in content.items()}
        content = [numbered[number] for number in range(len(numbered))]
    names = [[entry] if isinstance(entry, str) else entry for entry in content]
    if not all(isinstance(name, str) for some in names for name in some):
        raise ValueError("something in it is no text")
    return names


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
