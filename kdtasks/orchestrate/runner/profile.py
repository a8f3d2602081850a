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


class Span(NamedTuple):
    """A piece of work."""

    stage: str  # or RUN
    work: str  # one of WORKS
    begun: float  # seconds since 1970
    seconds: float

    @property
    def end(self) -> float:
        """When it ended."""
        return self.begun + self.seconds


def read_spans(project: Path) -> list[Span]:
    """The pieces of a project's last run, in the order of their beginnings, the longer one first.

    A run in which no stage ran has none but its own.
    """
    events, _ = tail(run_events(project))
    names = dict.fromkeys(event.name for event in events if isinstance(event, StageEvent))
    spans = list(_spans(events, RUN))
    for name in names:
        events, _ = tail(events_path(project / EVENTS, name))
        spans += _spans(events, name)
    # a stage's process imports before its work begins; other programs do not say when that is
    working = {span.stage for span in spans if span.work == "work"}
    called = [
        span._replace(work="imports")
        if span.work == "command" and span.stage in working
        else span._replace(work=span.work if span.work in WORKS else "other")
        for span in spans
    ]
    return sorted(called, key=lambda span: (span.begun, -span.seconds))


def _spans(events: Iterable[Event], stage: str) -> Iterator[Span]:
    for event in events:
        if isinstance(event, SpanEvent) and event.seconds >= LEAST_SECONDS:
            begun = event.time - event.seconds
            yield Span(event.name or stage, event.work, begun, event.seconds)


def shares(spans: Sequence[Span]) -> dict[str, dict[str, float]]:
    """Of each stage, how many seconds went where; what lies inside another piece counts once."""
    seconds: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(WORKS, 0.0))
    around: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        outer = around[span.stage]
        middle = span.begun + span.seconds / 2  # two clocks differ by less than half of it
        while outer and middle > outer[-1].end:
            outer.pop()
        if outer:
            inside = min(span.seconds, seconds[span.stage][outer[-1].work])
            seconds[span.stage][outer[-1].work] -= inside
        seconds[span.stage][span.work] += span.seconds
        outer.append(span)
    return dict(seconds)


def chrome_trace(spans: Sequence[Span]) -> Mapping[str, Any]:
    """Chrome's trace format, which chrome://tracing and Perfetto open: a row a stage.

    Complete events (`ph` X) in microseconds since the first: "Trace Event Format", Google, 2016.
    """
    first = min((span.begun for span in spans), default=0.0)
    rows = {name: row for row, name in enumerate(dict.fromkeys(span.stage for span in spans), 1)}
    names = [
        {"name": "thread_name", "ph": "M", "pid": 1, "tid": row, "args": {"name": name}}
        for name, row in rows.items()
    ]
    events = [
        {
            "name": span.work,
            "cat": span.work,
            "ph": "X",
            "ts": round((span.begun - first) * 1e6),
            "dur": round(span.seconds * 1e6),
            "pid": 1,
            "tid": rows[span.stage],
        }
        for span in spans
    ]
    return {"displayTimeUnit": "ms", "traceEvents": [*names, *events]}
