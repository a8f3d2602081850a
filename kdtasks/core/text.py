"""Numbers as people read them."""

import re
from collections.abc import Sequence

MINUS, SPACE = "−", "\u00a0"
NOTHING = "–"
Pair = tuple[float, float] | list[float]


# What a terminal obeys instead of showing it: control characters, and orders to write backwards.
_ORDERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Spell out what a terminal would obey, such as names of files may hold; line ends stay."""
    return _ORDERS.sub(lambda found: ascii(found[0])[1:-1], text)


def plain(text: str) -> str:
    """Put plain spaces for those that do not break, for whoever shows these as escapes."""
    return text.replace(SPACE, " ")


def percent(fraction: float | None, digits: int = 1) -> str:
    """Write 0.979 as 97.9 %."""
    return NOTHING if fraction is None else f"{fraction * 100:.{digits}f}{SPACE}%"


def percent_range(interval: Pair | None) -> str:
    """Write (0.942, 0.961) as 94.2 – 96.1 %."""
    if interval is None:
        return "interval not known"
    return f"{interval[0] * 100:.1f}{SPACE}–{SPACE}{interval[1] * 100:.1f}{SPACE}%"


def percent_with_range(mean: float | None, interval: Pair | None) -> str:
    """Write a mean with its interval, which may end at 0 or 1: 96.4 % (96.2 – 96.6 %)."""
    return f"{percent(mean)} ({percent_range(interval)})" if interval else percent(mean)


def points(difference: float | None, digits: int = 1, *, signed: bool = True) -> str:
    """Write a difference of fractions in percentage points: +1.3 points."""
    if difference is None:
        return NOTHING
    number = f"{difference * 100:{'+' if signed else ''}.{digits}f}"
    if float(number) == 0:
        number = number.strip("+-")
    return f"{number.replace('-', MINUS)}{SPACE}points"


def points_range(interval: Pair | None) -> str:
    """Write an interval of a difference in percentage points."""
    if interval is None:
        return "interval not known"
    low, high = (f"{end * 100:+.1f}".replace("-", MINUS) for end in interval)
    return f"{low}{SPACE}to{SPACE}{high}{SPACE}points"


def kilobytes(number: float | None) -> str:
    """Write bytes in kB of 1,000 bytes, from a million on in MB."""
    if number is None:
        return NOTHING
    if number >= 1e6:
        return f"{number / 1e6:.1f}{SPACE}MB"
    return f"{number / 1000:.{0 if number >= 1e5 else 1}f}{SPACE}kB"


def milliseconds(number: float | None) -> str:
    """Write milliseconds with two significant digits or more."""
    if number is None:
        return NOTHING
    digits = 3 if number < 0.1 else 2 if number < 10 else 0
    return f"{number:.{digits}f}{SPACE}ms"


def count(number: float | None) -> str:
    """Write a whole number in groups of three: 12,345."""
    return NOTHING if number is None else f"{number:,.0f}"


def millions(number: float | None) -> str:
    """Write multiply-accumulates: 840, 12.3 k, 1.23 M."""
    if number is None:
        return NOTHING
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}{SPACE}{unit}"
    return f"{number:.0f}"


def seeds(number: int) -> str:
    """Write a number of seeds."""
    return f"{number}{SPACE}seed" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """Write 4.2 as 4.2 s, 42.7 as 42 s, 205 as 3:25 and 3,723 as 1:02:03."""
    whole = int(seconds)
    if whole < 10:
        return f"{int(seconds * 10) / 10:.1f} s"
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def quantity(number: int, noun: str) -> str:
    """Write 1 stage, 2 stages, 2,700 labels."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def and_list(words: Sequence[str]) -> str:
    """Write a, b and c."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
