"""The progress bar of a training, without a server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from flows import artifacts
from flows.artifacts import TrainingProgress
from kdtasks.core.events import MessageEvent, MetricsEvent, ProgressEvent, emit


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was sent to the server; its clock stands still."""
    sent: list[tuple[Any, ...]] = []
    bar = uuid4()

    def create(*arguments: Any) -> Any:
        sent.append(("create", *arguments))
        return bar

    def update(found: Any, *arguments: Any) -> None:
        assert found == bar
        sent.append(("update", *arguments))

    def show(tell: Callable[[], object]) -> None:
        tell()

    monkeypatch.setattr(artifacts, "create_progress_artifact", create)
    monkeypatch.setattr(artifacts, "update_progress_artifact", update)
    monkeypatch.setattr(artifacts, "show", show)
    monkeypatch.setattr(artifacts.time, "monotonic", lambda: 7.0)
    return sent


def epoch(file: Path, number: int) -> None:
    emit(MetricsEvent(number, {"loss": 1 / 3, "validation_accuracy": 0.5}), file)
    emit(ProgressEvent(number, 8, "epoch", 100.0), file)


def test_the_newest_epoch_is_shown_not_more_often_than_one_can_read(
    tmp_path: Path, shown: list[tuple[Any, ...]]
):
    file = tmp_path / "distill@0.jsonl"
    bar = TrainingProgress(file, "key")
    bar.update()
    assert shown == []
    epoch(file, 1)
    epoch(file, 2)
    bar.update()
    text = "loss 0.3333, validation_accuracy 0.5"
    assert shown == [("create", 25.0, "key", f"epoch 2: {text}")]
    epoch(file, 3)
    bar.update()
    assert len(shown) == 1
    bar.update(at_once=True)
    bar.update(at_once=True)
    assert shown[1:] == [("update", 37.5, f"epoch 3: {text}")]


def test_a_stage_without_epochs_has_none(tmp_path: Path, shown: list[tuple[Any, ...]]):
    emit(MessageEvent("failed", "out of paper"), tmp_path / "a.jsonl")
    TrainingProgress(tmp_path / "a.jsonl", "key").update(at_once=True)
    assert shown == []
