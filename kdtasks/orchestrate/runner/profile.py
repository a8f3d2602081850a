"""Where the time of the last run went, from the events that it and its stages have left."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kdtasks.core.events import Event, SpanEvent, StageEvent, tail
from kdtasks.orchestrate.runner.files import EVENTS, events_path, run_events

RUN = "kdtasks run"
LEAST_SECONDS = 0.001  # what is shorter is no piece
WORKS = ("waiting", "DVC", "imports", "decoding", "training", "conversion", "other")


class Piece(NamedTuple):
    """A piece of work."""

    stage: str  # or RUN
    work: str  # one of WORKS
    begun: float  # seconds since 1970
    seconds: float

    @property
    def end(self) -> float:
        """When it ended."""
        return self.begun + self.seconds


def read_pieces(project: Path) -> list[Piece]:
    """The pieces of a project's last run, in the order of their beginnings, the longer one first.

    A run in which no stage ran has none but its own.
    """
    told, _ = tail(run_events(project))
    names = dict.fromkeys(event.name for event in told if isinstance(event, StageEvent))
    pieces = list(_pieces(told, RUN))
    for name in names:
        events, _ = tail(events_path(project / EVENTS, name))
        pieces += _pieces(events, name)
    # a stage's process imports before its work begins; other programs do not say when that is
    working = {piece.stage for piece in pieces if piece.work == "work"}
    called = [
        piece._replace(work="imports")
        if piece.work == "command" and piece.stage in working
        else piece._replace(work=piece.work if piece.work in WORKS else "other")
        for piece in pieces
    ]
    return sorted(called, key=lambda piece: (piece.begun, -piece.seconds))


def _pieces(events: Iterable[Event], stage: str) -> Iterator[Piece]:
    for event in events:
        if isinstance(event, SpanEvent) and event.seconds >= LEAST_SECONDS:
            begun = event.time - event.seconds
            yield Piece(event.name or stage, event.work, begun, event.seconds)


def shares(pieces: Sequence[Piece]) -> dict[str, dict[str, float]]:
    """Of each stage, how many seconds went where; what lies inside another piece counts once."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(WORKS, 0.0))
    around: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        outer = around[piece.stage]
        middle = piece.begun + piece.seconds / 2  # two clocks differ by less than half of it
        while outer and middle > outer[-1].end:
            outer.pop()
        if outer:
            inside = min(piece.seconds, found[piece.stage][outer[-1].work])
            found[piece.stage][outer[-1].work] -= inside
        found[piece.stage][piece.work] += piece.seconds
        outer.append(piece)
    return dict(found)


def chrome_trace(pieces: Sequence[Piece]) -> Mapping[str, Any]:
    """Chrome's trace format, which chrome://tracing and Perfetto open: a row a stage.

    Complete events (`ph` X) in microseconds since the first: "Trace Event Format", Google, 2016.
    """
    first = min((piece.begun for piece in pieces), default=0.0)
    rows = {name: row for row, name in enumerate(dict.fromkeys(it.stage for it in pieces), 1)}
    names = [
        {"name": "thread_name", "ph": "M", "pid": 1, "tid": row, "args": {"name": name}}
        for name, row in rows.items()
    ]
    events = [
        {
            "name": piece.work,
            "cat": piece.work,
            "ph": "X",
            "ts": round((piece.begun - first) * 1e6),
            "dur": round(piece.seconds * 1e6),
            "pid": 1,
            "tid": rows[piece.stage],
        }
        for piece in pieces
    ]
    return {"displayTimeUnit": "ms", "traceEvents": [*names, *events]}
