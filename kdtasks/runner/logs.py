"""The output of every stage's last run, in a file."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO


def log_path(folder: Path, name: str) -> Path:
    """The log file of a stage; names of stages may hold what names of files may not."""
    return folder / f"{name.replace('/', '_').replace(':', '_')}.log"


@contextmanager
def stage_log(folder: Path, name: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that appends a line to the stage's log.

    The log begins anew with the first line: a stage that has nothing to run keeps its last one.
    """
    file: IO[str] | None = None
    with ExitStack() as opened:

        def write(line: str) -> None:
            nonlocal file
            if file is None:
                folder.mkdir(parents=True, exist_ok=True)
                path = log_path(folder, name)
                file = opened.enter_context(path.open("w", encoding="utf-8", buffering=1))
            print(line, file=file)

        yield write
