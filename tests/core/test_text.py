"""Text as people and terminals read it."""

import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.core.text import printable
from kdtasks.data.class_names import refuse_look_alikes

FARMER = "\U0001f469\u200d\U0001f33e"  # one sign of three characters, of which one has no width


@pytest.mark.parametrize("text", ["a\nb", "Größe 3\u00a0%", FARMER, "می\u200cخواهم", "\u3000"])
def test_text_stays(text: str):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\tb\r", r"a\tb\r"),
        ("\x9b31m", r"\x9b31m"),
        ("cat\u202egpj", r"cat\u202egpj"),
        ("\udcff", r"\udcff"),
    ],
)
def test_orders_to_a_terminal_are_spelled_out(text: str, expected: str):
    assert printable(text) == expected


def test_a_class_is_named_by_text():
    refuse_look_alikes([FARMER, "Größe"])
    with pytest.raises(DatasetError, match=r"'\\x1b\[2Jcat' would be a class whose name holds"):
        refuse_look_alikes(["dog", "\x1b[2Jcat"])
