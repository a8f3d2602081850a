"""YAML within bounds."""

import math
from pathlib import Path

import pytest

from benchmarks.hostile.attack import run
from benchmarks.hostile.params import ParamsFiles
from kdtasks.core.errors import ParamsError
from kdtasks.params.text import DEEPEST, MOST_VALUES, read_yaml


def read(folder: Path, text: str) -> object:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


def test_aliases_are_read_as_what_they_stand_for(tmp_path: Path):
    text = "a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, 1e-3, .inf]\n"
    expected = {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}, 0.001, math.inf]}
    assert read(tmp_path, text) == expected


def test_values_are_counted_as_if_written_out(tmp_path: Path):
    # The file's mapping, its two keys, the list of a with its items, and b's list of aliases.
    items = 99
    a = "a: &a [" + ", ".join("0" * items) + "]\n"
    fitting = (MOST_VALUES - 1 - 2 - (1 + items) - 1) // (1 + items)
    assert read(tmp_path, a + f"b: [{', '.join(['*a'] * fitting)}]") is not None
    with pytest.raises(ParamsError, match="holds more than 10,000 values, aliases written out"):
        read(tmp_path, a + f"b: [{', '.join(['*a'] * (fitting + 1))}]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * (DEEPEST + 1), "is nested more than 50 deep; params need less than ten"),
        ("a: &a [*a]", "holds more than 10,000 values"),
        ("a: &a {<<: *a}", "holds more than 10,000 values"),
        ("a: " + "9" * 5000, "is not valid YAML: .*digits"),
        ("a: 2001-13-45", "is not valid YAML: month must be"),
        ("a: " + "x" * 100_000, "has 100,003 bytes; params have at most 100,000"),
        (r'a: "\ud800"', r"names half a character, '\\ud800'; write the character itself"),
        (r'"\ud83d\ude00": 1', r"names half a character, '\\ud83d'; write the character"),
        (r'a: "\UFFFFFFFF"', "is not valid YAML: "),
        ("a: !!bool maybe", "is not valid YAML: 'maybe'"),
        ("a: !!int ''", "is not valid YAML: .*index out of range"),
        ("%YAML 1.99999999999999999999\n---\na: 1", "is not valid YAML: "),
        ("a: *nowhere", "is not valid YAML: .*undefined alias"),
        ("b: |\n  one\n  two\nb: 3", "is not valid YAML: line 4, column 1: .*duplicate key"),
    ],
)
def test_what_would_hang_or_break_is_one_sentence(tmp_path: Path, text: str, message: str):
    with pytest.raises(ParamsError, match=message) as caught:
        read(tmp_path, text)
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)


def test_broken_params_are_read_or_refused_in_one_sentence(tmp_path: Path):
    """A share of `python -m benchmarks.hostile params`."""
    count, broken = run(ParamsFiles(), 60, tmp_path / "work")
    assert [line for line in broken if "traceback" in line or "died" in line] == []
    assert min(count.refused, count.answered) > 0
    assert count.refused + count.answered == count.trials == 60
