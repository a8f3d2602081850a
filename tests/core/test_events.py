"""Events come out of the file as they went in, however it is read and whatever else is in it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.events import (
    Event,
    MessageEvent,
    MetricsEvent,
    ProgressEvent,
    SpanEvent,
    StageEvent,
    emit,
    span,
    tail,
)

EXAMPLES: list[Event] = [
    ProgressEvent(3, 30, "epoch", 5120.0, time=1.5),
    ProgressEvent(0, 4, "image", time=2.0),
    MetricsEvent(3, {"loss": 0.41, "validation_accuracy": 0.95}, time=3.0),
    MessageEvent("refused", "größer\nals\u2028erlaubt \ud800", time=4.0),
    StageEvent("compress@int8", "completed", 12.3, time=5.0),
    SpanEvent("training", 2.5, time=6.0),
    SpanEvent("DVC", 0.5, "prepare", time=7.0),
]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "events" / "distill.jsonl"
    monkeypatch.setenv("KDTASKS_EVENTS", str(path))
    return path


def test_events_come_back_as_they_were_written(file: Path):
    for event in EXAMPLES:
        emit(event)
    assert tail(file) == (EXAMPLES, file.stat().st_size)


def test_a_line_is_one_json_object(file: Path):
    emit(EXAMPLES[0])
    assert file.read_text() == (
        '{"v": 1, "time": 1.5, "kind": "progress", '
        '"done": 3, "total": 30, "unit": "epoch", "images_per_second": 5120.0}\n'
    )


def test_an_event_knows_when_it_was(monkeypatch: pytest.MonkeyPatch):
    assert MessageEvent("warning", "a").time <= MessageEvent("warning", "b").time


def test_numbers_of_numpy_are_numbers(file: Path):
    values: Any = {"loss": np.float32(0.5), "accuracy": np.float64(0.25)}
    emit(MetricsEvent(1, values, time=1.0))
    assert tail(file)[0] == [MetricsEvent(1, {"loss": 0.5, "accuracy": 0.25}, time=1.0)]


def test_lines_of_several_writers_do_not_mix(file: Path):
    events: list[Event] = [MessageEvent("warning", str(n) * 3000, time=1.0) for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(emit, events))
    assert sorted(tail(file)[0], key=str) == sorted(events, key=str)


def test_nothing_is_written_unless_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KDTASKS_EVENTS", raising=False)
    emit(EXAMPLES[0])
    monkeypatch.setenv("KDTASKS_EVENTS", "")
    emit(EXAMPLES[0])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_named_goes_before_the_variable(file: Path, tmp_path: Path):
    emit(EXAMPLES[4], tmp_path / "run.jsonl")
    assert tail(tmp_path / "run.jsonl")[0] == [EXAMPLES[4]]
    assert not file.exists()


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "events.jsonl"):
        monkeypatch.setenv("KDTASKS_EVENTS", str(path))
        emit(EXAMPLES[0])
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_stops_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KDTASKS_EVENTS", "/dev/full")
    emit(EXAMPLES[0])


def test_a_half_written_line_is_left_for_later(file: Path):
    emit(EXAMPLES[0])
    emit(EXAMPLES[1])
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    events, offset = tail(file)
    assert events == EXAMPLES[:1]
    assert offset == whole.index(b"\n") + 1
    file.write_bytes(whole)
    assert tail(file, offset) == (EXAMPLES[1:2], len(whole))


def test_a_missing_file_has_no_events_yet(tmp_path: Path):
    assert tail(tmp_path / "none.jsonl", 7) == ([], 7)


def test_a_file_begun_anew_is_read_from_its_start(file: Path):
    emit(EXAMPLES[0])
    emit(EXAMPLES[1])
    _, offset = tail(file)
    file.unlink()
    emit(EXAMPLES[4])
    assert tail(file, offset) == ([EXAMPLES[4]], file.stat().st_size)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"7",
        b"null",
        b"[1]",
        b"{}",
        b'{"v": 1, "kind": "applause", "time": 1.0}',
        b'{"v": 1, "kind": ["stage"], "time": 1.0}',
        b'{"v": 2, "kind": "warning", "message": "of another version", "time": 1.0}',
        b'{"v": 1, "kind": "metrics", "epoch": 3, "time": 1.0}',
        b'{"v": 1, "time": 1{"v": 1, "kind": "warning", "message": "after a cut line", "time": 1}',
    ],
)
def test_lines_that_are_not_understood_are_skipped(file: Path, line: bytes):
    emit(EXAMPLES[0])
    with file.open("ab") as stream:
        stream.write(line + b"\n")
    emit(EXAMPLES[1])
    assert tail(file) == (EXAMPLES[:2], file.stat().st_size)


def test_fields_of_a_later_version_are_ignored(file: Path):
    record = {"v": 1, "time": 5.0, "kind": "warning", "message": "hot", "sensor": 3}
    file.parent.mkdir()
    file.write_text(json.dumps(record) + "\n")
    assert tail(file)[0] == [MessageEvent("warning", "hot", time=5.0)]


FLOATS = st.floats(allow_nan=False)
EVENTS = st.one_of(
    st.builds(ProgressEvent, st.integers(), st.integers(), st.text(), FLOATS, time=FLOATS),
    st.builds(MetricsEvent, st.integers(), st.dictionaries(st.text(), FLOATS), time=FLOATS),
    st.builds(
        MessageEvent, st.sampled_from(["warning", "refused", "failed"]), st.text(), time=FLOATS
    ),
    st.builds(StageEvent, st.text(), st.text(), st.none() | FLOATS, time=FLOATS),
)


@given(events=st.lists(EVENTS, max_size=6), data=st.data())
def test_any_split_into_chunks_gives_the_same_events(
    events: list[Event], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
):
    path = tmp_path_factory.mktemp("events") / "run.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDTASKS_EVENTS", str(path))
        for event in events:
            emit(event)
    whole = path.read_bytes() if events else b""
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=10).map(sorted))
    path.write_bytes(b"")
    found: list[Event] = []
    offset = 0
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        with path.open("ab") as file:
            file.write(whole[start:end])
        fresh, offset = tail(path, offset)
        found += fresh
    assert found == events
    assert offset == len(whole)


def test_a_span_tells_how_long_a_block_or_a_call_took_even_where_it_fails(file: Path):
    @span("decoding")
    def fail() -> None:
        raise ValueError("no image")

    with span("training"):
        pass
    with pytest.raises(ValueError, match="no image"):
        fail()
    found, _ = tail(file)
    assert [(one.work, one.name) for one in found if isinstance(one, SpanEvent)] == [
        ("training", ""),
        ("decoding", ""),
    ]
    assert all(isinstance(one, SpanEvent) and 0.0 <= one.seconds < 60.0 for one in found)
