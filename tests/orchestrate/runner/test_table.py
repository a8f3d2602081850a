"""The table: which rows and columns a terminal gets, whatever its size."""

from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.text import Text

from kdtasks.core.events import MetricsEvent, ProgressEvent, emit
from kdtasks.orchestrate.runner import table
from kdtasks.orchestrate.runner.graph import Outcome, StageNode, StageState
from kdtasks.orchestrate.runner.table import (
    StageRow,
    fitting_table,
    header_line,
    visible_rows,
    whole_table,
)

NOWHERE = Path("no events")


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch):
    """The clock stands still."""
    monkeypatch.setattr(table.time, "monotonic", lambda: 1000.0)


def printed(renderable: RenderableType, width: int) -> list[str]:
    text = StringIO()
    Console(file=text, width=width, height=50, color_system=None).print(renderable)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def finished(name: str, outcome: Outcome) -> StageRow:
    row = StageRow(StageNode(name), NOWHERE)
    row.finish(outcome)
    return row


def running(name: str, line: str, *, speed: float | None = None) -> StageRow:
    row = StageRow(StageNode(name, description="what it does"), NOWHERE)
    row.start()
    row.changed -= 12.0
    row.on_line(line)
    row.speed = speed
    return row


@pytest.fixture
def rows() -> list[StageRow]:
    """One of nearly every kind."""
    return [
        finished("prepare", Outcome(StageState.CACHED, "67e1086e0123.dir", 0.1)),
        finished("teacher", Outcome(StageState.COMPLETED, "9a8b7c6d5e4f.dir", 205)),
        running("student@0", "epoch 3/8  loss 0.5123  0:05 left", speed=1759.4),
        finished(
            "student@1", Outcome(StageState.FAILED, "", 3.2, "it ended:\nValueError: no images")
        ),
        StageRow(StageNode("distill@0"), NOWHERE),
        finished("report", Outcome(StageState.SKIPPED, message="it needs student@1")),
    ]


def test_a_wide_terminal_shows_everything(rows: list[StageRow]):
    assert printed(whole_table(rows, 100), 100) == [
        "stage      state         time  images/s",
        "prepare    cached                        67e1086e",
        "teacher    completed     3:25            9a8b7c6d",
        "student@0  running       12 s     1,759  epoch 3/8 loss 0.5123 0:05 left",
        "student@1  failed       3.2 s            ValueError: no images",
        "distill@0  waiting",
        "report     skipped                       it needs student@1",
    ]


def test_a_narrow_terminal_loses_columns_from_the_right(rows: list[StageRow]):
    assert [printed(whole_table(rows, width), width)[3] for width in (60, 42, 32, 22, 15)] == [
        "student@0  running       12 s     1,759  epoch 3/8 loss 0.5…",
        "student@0  running       12 s     1,759",
        "student@0  running       12 s",
        "student@0  running",
        "student@0",
    ]
    assert printed(whole_table(rows, 5), 5)[3] == "stud…"


def test_columns_without_content_are_left_out():
    rows = [finished("prepare", Outcome(StageState.CACHED, "67e1086e0123.dir", 0.1))]
    assert printed(whole_table(rows, 80), 80) == ["stage    state", "prepare  cached     67e1086e"]


def test_a_run_without_stages_is_an_empty_table():
    assert "".join(printed(whole_table([], 80), 80)).strip() == ""


def test_the_description_stands_until_there_is_output():
    row = StageRow(StageNode("a", description="read the source"), NOWHERE)
    row.start()
    assert row.words == "read the source"
    row.on_line("   ")
    assert row.words == "read the source"
    row.on_line("\x1b[31mred\x1b[0m\tand\x1b[2K  wide\x07")
    assert row.words == "red and wide"


def test_the_speed_is_the_last_that_the_stage_has_told(tmp_path: Path):
    row = StageRow(StageNode("a"), tmp_path / "a.jsonl")
    row.follow()
    assert row.speed is None
    emit(ProgressEvent(1, 8, "epoch", 2000.0), row.events)
    emit(ProgressEvent(2, 8, "epoch", 1759.0), row.events)
    emit(MetricsEvent(2, {"loss": 0.5}), row.events)
    row.follow()
    assert row.speed == 1759.0
    emit(ProgressEvent(3, 8, "epoch"), row.events)
    row.on_line("saving, 5 images/s")
    row.follow()
    assert (row.speed, row.words) == (1759.0, "saving, 5 images/s")


def test_the_header(rows: list[StageRow]):
    def header(shown: list[StageRow], width: int) -> str:
        line = header_line(shown, 157, "4 workers on 16 cores")
        return "\n".join(printed(Group(line), width))

    assert header(rows, 80) == "4 of 6 stages, 1 failed   2:37   4 workers on 16 cores"
    assert header(rows[:3], 80) == "2 of 3 stages   2:37   4 workers on 16 cores"
    assert header(rows, 12) == "4 of 6 stag…"


def test_a_small_terminal_shows_what_runs_and_what_failed(rows: list[StageRow]):
    many = [*[StageRow(StageNode(f"w{i}"), NOWHERE) for i in range(20)], *rows]
    lines = printed(fitting_table(Text("header"), many, width=80, height=7), 80)
    assert [line.split()[0] for line in lines] == [
        "header",
        "stage",
        "teacher",
        "student@0",
        "student@1",
        "and",
    ]
    assert lines[-1] == "and 21 waiting, 1 cached, 1 skipped"


def test_the_latest_change_goes_first_among_equals(monkeypatch: pytest.MonkeyPatch):
    rows = []
    for moment, name in enumerate("cab"):
        monkeypatch.setattr(table.time, "monotonic", lambda moment=moment: float(moment))
        rows.append(finished(name, Outcome(StageState.COMPLETED)))
    shown, hidden = visible_rows(rows, 2)
    assert [row.node.name for row in shown] == ["a", "b"]
    assert [row.node.name for row in hidden] == ["c"]


OUTCOMES = [state for state in StageState if state not in (StageState.WAITING, StageState.RUNNING)]
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30
)


def draw_row(name: str, state: StageState, text: str) -> StageRow:
    if state is StageState.RUNNING:
        return running(name, text)
    if state is StageState.WAITING:
        return StageRow(StageNode(name), NOWHERE)
    return finished(name, Outcome(state, "0123456789", 1.0, text))


@settings(max_examples=50)
@given(
    rows=st.lists(
        st.builds(draw_row, NAMES, st.sampled_from(list(StageState)), st.text()), max_size=60
    ),
    width=st.integers(1, 150),
    height=st.integers(5, 60),
)
def test_the_table_never_overflows_and_never_hides_what_matters(
    rows: list[StageRow], width: int, height: int
):
    header = header_line(rows, 1.0, "2 workers on 2 cores")
    lines = printed(fitting_table(header, rows, width=width, height=height), width)
    assert len(lines) < height
    assert all(cell_len(line) <= width for line in lines)

    shown, hidden = visible_rows(rows, height - 4)
    assert sorted(map(id, [*shown, *hidden])) == sorted(map(id, rows))
    important = [row for row in rows if row.state in (StageState.RUNNING, StageState.FAILED)]
    if len(important) <= height - 4:
        assert not {id(row) for row in important} & {id(row) for row in hidden}
