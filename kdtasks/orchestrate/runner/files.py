"""The files that a run keeps: what its stages print and what they tell as events, one of each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from kdtasks.core.events import MessageEvent, tail

EVENTS = Path(".kdtasks") / "events"  # below the project's folder; each run begins it anew


def file_name(stage: str) -> str:
    """The name of a stage, which may hold what names of files may not, as that of a file."""
    return stage.replace("/", "_").replace(":", "_")


def log_path(folder: Path, name: str) -> Path:
    """The log file of a stage."""
    return folder / f"{file_name(name)}.log"


@contextmanager
def stage_log(folder: Path, name: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that appends a line to the stage's log.

    The log begins anew with the first line: a stage that has nothing to run keeps its last one.
    """
    with ExitStack() as opened:

        @cache
        def file() -> IO[str]:
            folder.mkdir(parents=True, exist_ok=True)
            return opened.enter_context(log_path(folder, name).open("w", 1, "utf-8"))

        yield lambda line: print(line, file=file())


def events_path(folder: Path, name: str) -> Path:
    """The file in which a stage tells its events."""
    return folder / f"{file_name(name)}.jsonl"


def run_events(project: Path) -> Path:
    """The file in which a run tells what becomes of its stages."""
    return project / EVENTS / "run.jsonl"


def first_failure(file: Path) -> str | None:
    """The first failure that a file of events tells of, in one line; None if it tells of none."""
    events, _ = tail(file)
    failures = (
        event for event in events if isinstance(event, MessageEvent) and event.kind == "failed"
    )
    return next((" ".join(failure.message.split()) for failure in failures), None)
