"""What became of a stage."""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a stage stands."""

    WAITING = "waiting"
    RUNNING = "running"
    CACHED = "cached"  # nothing it depends on has changed, its outputs are there
    RESTORED = "restored"  # its outputs came out of DVC's cache, from an earlier run
    PULLED = "pulled"  # its outputs came from the DVC remote
    COMPLETED = "completed"  # its command ran
    FAILED = "failed"
    SKIPPED = "skipped"  # something that it depends on failed
    CANCELLED = "cancelled"  # the run was stopped


UP_TO_DATE = frozenset({State.CACHED, State.RESTORED, State.PULLED, State.COMPLETED})


class Outcome(NamedTuple):
    """The end of one stage."""

    state: State
    digest: str = ""  # DVC's hash of its first output, where that is up to date
    seconds: float = 0.0
    message: str = ""  # why it failed or was skipped, with its last lines

    @property
    def is_up_to_date(self) -> bool:
        """Whether what depends on the stage can run."""
        return self.state in UP_TO_DATE
