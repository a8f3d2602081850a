"""Progress lines, under a clock of the test's own."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from kdtasks.core.events import MetricsEvent, ProgressEvent, tail
from kdtasks.learn.training import monitor as progress
from kdtasks.learn.training.monitor import EpochReporter

RECORD = {"loss": 0.51234, "accuracy": 0.25, "validation_accuracy": 0.125}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still until `now` is set."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_an_epoch_is_a_line(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]):
    reporter = EpochReporter(first_epoch=0, epochs=12, images=3_000)
    reporter.start_epoch(1)
    clock.now += 2
    reporter.end_epoch(RECORD)
    reporter.start_epoch(2)
    clock.now += 4
    reporter.end_epoch(RECORD)
    # 2 s an epoch, 11 to go; then 6 s for two, 10 to go.
    assert capsys.readouterr().out == (
        "epoch  1/12  loss 0.5123  accuracy 0.2500  validation 0.1250  1,500 images/s  0:22 left"
        "\n"
        "epoch  2/12  loss 0.5123  accuracy 0.2500  validation 0.1250  750 images/s  0:30 left\n"
    )


def test_what_accuracy_hides_of_rare_classes_is_told(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
):
    reporter = EpochReporter(first_epoch=0, epochs=1, images=100)
    for balanced in (0.9, 0.5):
        reporter.start_epoch(1)
        clock.now += 1
        scores = {"validation_accuracy": 0.94, "validation_balanced_accuracy": balanced}
        reporter.end_epoch(RECORD | scores)
    first, second = capsys.readouterr().out.splitlines()
    assert "validation 0.9400  100 images/s" in first
    assert "validation 0.9400, balanced 0.5000  100 images/s" in second


def test_time_left_after_a_checkpoint_counts_this_run_only(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
):
    reporter = EpochReporter(first_epoch=90, epochs=100, images=100)
    reporter.start_epoch(91)
    clock.now += 20
    reporter.end_epoch(RECORD)
    line = capsys.readouterr().out
    assert line.startswith("epoch  91/100  ")
    assert line.endswith("5 images/s  3:00 left\n")  # 9 epochs of 20 s


def test_a_long_epoch_reports_from_its_middle(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
):
    reporter = EpochReporter(first_epoch=0, epochs=2, images=1_000)
    reporter.start_epoch(1)
    clock.now += 9
    reporter.show_block(200, loss=2.0)
    assert capsys.readouterr().out == ""
    clock.now += 3
    reporter.show_block(250, loss=1.75)
    # A quarter of an epoch took 12 s; 1.75 epochs are left.
    assert capsys.readouterr().out == "epoch 1/2   25%  loss 1.7500  21 images/s  1:24 left\n"
    clock.now += 5
    reporter.show_block(300, loss=1.5)
    assert capsys.readouterr().out == ""


def test_the_last_block_is_left_to_the_epochs_own_line(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
):
    reporter = EpochReporter(first_epoch=0, epochs=2, images=1_000)
    reporter.start_epoch(1)
    clock.now += 60
    reporter.show_block(1_000, loss=2.0)
    assert capsys.readouterr().out == ""


def test_all_of_it_is_told_as_events(
    clock: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "distill.jsonl"
    monkeypatch.setenv("KDTASKS_EVENTS", str(file))
    reporter = EpochReporter(first_epoch=3, epochs=5, images=48_000)
    reporter.start_epoch(4)
    clock.now += 12
    reporter.show_block(24_000, loss=2.0)
    clock.now += 4
    reporter.end_epoch({"epoch": 4, **RECORD, "temperature": 2.0})
    events, _ = tail(file)
    assert [replace(event, time=0.0) for event in events] == [
        ProgressEvent(3, 5, "epoch", 2000.0, time=0.0),
        MetricsEvent(4, {**RECORD, "temperature": 2.0}, time=0.0),
        ProgressEvent(4, 5, "epoch", 3000.0, time=0.0),
    ]
