"""What the Prefect UI shows of a stage while it trains: how far it is, and its newest metrics."""

import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.artifacts import show
from kdtasks.core.events import MetricsEvent, ProgressEvent, tail

PAUSE_SECONDS = 2.0  # between two updates; epochs may take milliseconds


class TrainingProgress:
    """A progress bar of the task run that makes it; none for a stage without epochs."""

    def __init__(self, events: Path, key: str) -> None:
        """Show nothing yet.

        Args:
            events: file of what the stage tells.
            key: of the artifact.
        """
        self._events, self._key, self._offset = events, key, 0
        self._percent, self._text = 0.0, ""
        self._artifact: UUID | None = None
        self._updated = float("-inf")

    def update(self, *, at_once: bool = False) -> None:
        """Show what the stage has told since, unless the last update was just now."""
        if not at_once and time.monotonic() - self._updated < PAUSE_SECONDS:
            return
        found, self._offset = tail(self._events, self._offset)
        events = [event for event in found if isinstance(event, ProgressEvent | MetricsEvent)]
        if events:
            show(lambda: self._tell(events))
            self._updated = time.monotonic()

    def _tell(self, events: Sequence[ProgressEvent | MetricsEvent]) -> None:
        for event in events:
            if isinstance(event, ProgressEvent):
                self._percent = 100 * event.done / event.total
            else:
                values = ", ".join(f"{name} {value:.4g}" for name, value in event.values.items())
                self._text = f"epoch {event.epoch}: {values}"
        if self._artifact is None:
            made = create_progress_artifact(self._percent, self._key, self._text)
            assert isinstance(made, UUID)  # not a coroutine: this is no async function
            self._artifact = made
        else:
            update_progress_artifact(self._artifact, self._percent, self._text)
