"""Say on the server how a run ended that was killed and could not say so itself.

A run leaves a note of its flow run in the project and starts a crash reporter: a process of its own
that waits until the run's end of a pipe closes, as it does however the run ends. If the note is
still there by then, the run was killed, and the reporter says so. One that was killed as well, by a
power cut for example, leaves that to the next run.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from uuid import UUID

# Prefect is imported inside the functions: hardly any crash reporter needs it

NOTE = Path(".kdtasks") / "flow-run"
MESSAGE = "its process was killed"


class CrashReporter:
    """Watches over a flow run from its making until it is closed; needs the run lock."""

    def __init__(self, project: Path, flow_run_id: str) -> None:
        from prefect.settings import get_current_settings

        mark_crashed(project)
        self._note = project / NOTE
        self._note.parent.mkdir(parents=True, exist_ok=True)
        self._note.write_text(flow_run_id, encoding="utf-8")
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flows.crash_reporter", str(project), flow_run_id],
            cwd=Path(__file__).parents[1],
            env={**os.environ, **settings},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def close(self) -> None:
        """End the process: from here on the run can say how it ended."""
        self._note.unlink(missing_ok=True)
        self._process.communicate()


def mark_crashed(project: Path) -> None:
    """Mark the flow run of the note, if there is one, and the stages that it ran as crashed."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Crashed

    flow_run_id = _noted(project)
    if not flow_run_id:
        return
    of_this_run = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(flow_run_id)]))
    with get_client(sync_client=True) as client, suppress(ObjectNotFound):  # of another server
        for stage in client.read_task_runs(flow_run_filter=of_this_run):
            if stage.state and not stage.state.is_final():
                client.set_task_run_state(stage.id, Crashed(message=MESSAGE), force=True)
        run = client.read_flow_run(UUID(flow_run_id))
        if run.state and not run.state.is_final():
            client.set_flow_run_state(run.id, Crashed(message=MESSAGE), force=True)


def _noted(project: Path) -> str:
    note = project / NOTE
    return note.read_text(encoding="utf-8").strip() if note.is_file() else ""


def main() -> None:
    """Wait for the end of the run."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends after the run, never before
    sys.stdin.read()
    project, flow_run_id = Path(sys.argv[1]), sys.argv[2]
    if _noted(project) == flow_run_id:  # not that of a run that has begun since
        with suppress(Exception):  # the server may be gone as well
            mark_crashed(project)


if __name__ == "__main__":
    main()
