"""What brings one stage up to date, and the two that there are."""

from collections.abc import Callable, Sequence
from typing import Protocol

from kdtasks.runner.graph import StageGraph
from kdtasks.runner.outcome import Outcome

OnLine = Callable[[str], None]
LAST_LINES = 20


class Engine(Protocol):
    """Plans a run and brings its stages up to date, several at once in threads of their own."""

    def plan(self, targets: Sequence[str]) -> StageGraph:
        """The stages that `targets` (none for all) need."""

    def survey(self) -> frozenset[str]:
        """The stages that are known to be up to date already; called once, before any runs."""

    def bring_up_to_date(
        self, name: str, on_line: OnLine, is_cancelled: Callable[[], bool]
    ) -> Outcome:
        """Bring one stage up to date, all that it needs being so; hand on its output by lines."""

    def close(self) -> None:
        """Release every lock."""


def failure(name: str, status: int, last_lines: Sequence[str]) -> str:
    """Say how a command failed."""
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return f"stage {name} ended with {how}; its last lines:\n" + "\n".join(last_lines)
