"""What a running stage tells programs: one JSON object a line, in the file KDTASKS_EVENTS names."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from time import monotonic
from time import time as now
from typing import ClassVar, Literal

VARIABLE = "KDTASKS_EVENTS"
_VERSION = 1


@dataclass(frozen=True)
class _Timed:
    time: float = field(default_factory=now, kw_only=True)  # seconds since 1970


@dataclass(frozen=True)
class ProgressEvent(_Timed):
    """How far a piece of work has come.

    Args:
        done: units done, of `total`.
        total: units in all.
        unit: what is counted, such as `epoch`.
        images_per_second: speed, where images are what is worked on.
    """

    kind: ClassVar = "progress"
    done: int
    total: int
    unit: str
    images_per_second: float | None = None


@dataclass(frozen=True)
class MetricsEvent(_Timed):
    """The values of an epoch, counted from 1."""

    kind: ClassVar = "metrics"
    epoch: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class MessageEvent(_Timed):
    """A sentence about the stage: a warning, or why it was refused or failed."""

    kind: Literal["warning", "refused", "failed"]
    message: str


@dataclass(frozen=True)
class StageEvent(_Timed):
    """A stage came into a new state, after `seconds` in the one before."""

    kind: ClassVar = "stage"
    name: str
    state: str
    seconds: float | None = None


@dataclass(frozen=True)
class SpanEvent(_Timed):
    """A piece of work has ended, which took `seconds`; `time` is its end.

    Args:
        work: what was done: `imports`, `decoding`, `training`, `conversion`; by a run also `DVC`,
            `waiting` (for a core) and `command` (all of a stage's process), by a stage `work`.
        name: of the stage, where a run tells it; empty for the run itself.
    """

    kind: ClassVar = "span"
    work: str
    seconds: float
    name: str = ""


Event = ProgressEvent | MetricsEvent | MessageEvent | StageEvent | SpanEvent

_CLASSES: dict[str, type[Event]] = {
    **{kind.kind: kind for kind in (ProgressEvent, MetricsEvent, StageEvent, SpanEvent)},
    **dict.fromkeys(("warning", "refused", "failed"), MessageEvent),
}


def emit(event: Event, file: Path | None = None) -> None:
    """Append an event to a file.

    Events are no results: where the file cannot be written, as on a full disk, the event is lost
    and the work goes on.

    Args:
        event: what to tell.
        file: where; None for the file that KDTASKS_EVENTS names, and for none without it.
    """
    path = file or os.environ.get(VARIABLE)
    if not path:
        return
    record = {"v": _VERSION, "time": event.time, "kind": event.kind, **asdict(event)}
    # NumPy's numbers are no JSON, hence `default`.
    line = f"{json.dumps(record, default=float)}\n".encode()
    with suppress(OSError):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # One write in append mode: lines of several processes do not mix.
        with open(path, "ab", buffering=0) as stream:
            stream.write(line)


@contextmanager
def span(work: str, file: Path | None = None, name: str = "") -> Iterator[None]:
    """Tell how long a block takes, or as a decorator each call of a function; see `SpanEvent`."""
    begun = monotonic()
    try:
        yield
    finally:
        emit(SpanEvent(work, round(monotonic() - begun, 6), name), file)


def warn(message: str) -> None:
    """Print a warning, and tell it as an event."""
    print(f"warning: {message}", flush=True)
    emit(MessageEvent("warning", message))


def tail(path: Path, offset: int = 0) -> tuple[list[Event], int]:
    """Read the events written since an earlier call.

    A half-written last line is left for the next call. Lines that are damaged, or of a kind or
    version that this code does not know, are skipped.

    Args:
        path: file of events; one that is not there yet has none.
        offset: what the earlier call gave; beyond the file's end, the file was begun anew and is
            read from its start.

    Returns:
        The events, and the offset for the next call.
    """
    try:
        with path.open("rb") as file:
            if offset > file.seek(0, os.SEEK_END):
                offset = 0
            file.seek(offset)
            content = file.read()
    except OSError:
        return [], offset
    whole = content[: content.rfind(b"\n") + 1]
    events = [event for line in whole.split(b"\n") if (event := _parse(line))]
    return events, offset + len(whole)


def _parse(line: bytes) -> Event | None:
    try:
        record = json.loads(line)
        if record["v"] != _VERSION:
            return None
        kind = _CLASSES[record["kind"]]
        names = {known.name for known in fields(kind)}
        return kind(**{name: value for name, value in record.items() if name in names})
    except (ValueError, TypeError, LookupError):
        return None
