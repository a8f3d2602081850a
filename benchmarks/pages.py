"""Tables of pages that a benchmark writes, between a comment that names it and one that ends it."""

from pathlib import Path

from kdtasks.core.files import write_text

END = "<!-- end -->\n"


def fill(page: Path, command: str, text: str) -> None:
    """Put what a command has measured into its place."""
    before, begin, rest = _parts(page, command)
    write_text(page, f"{before}{begin}{text}{END}{rest.partition(END)[2]}")


def shown(page: Path, command: str) -> str:
    """What stands there."""
    return _parts(page, command)[2].partition(END)[0]


def _parts(page: Path, command: str) -> tuple[str, str, str]:
    return page.read_text(encoding="utf-8").partition(f"<!-- {command} -->\n")
