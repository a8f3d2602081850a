"""Start stages warm: in forks of a process that has imported TensorFlow."""

import json
import shlex
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.project.project import child_environment
from kdtasks.orchestrate.warm.folder import socket_folder

_PROGRAM = Path(__file__).with_name("program.py")

_QUEUE = 64


class WarmStages:
    """A server for one run, started when the first stage asks for it.

    Where it cannot be started, or has ended, stages start cold by themselves.
    """

    def __init__(self, project: Path) -> None:
        """Args: `project`, whose params say what the server is pinned to."""
        self._project = project
        self._one_thread = threading.Lock()
        self._folder = ExitStack()
        self._address = ""
        self._server: subprocess.Popen[bytes] | None = None

    def words(self, line: str) -> list[str] | None:
        """What to start for a command line; None unless it is a stage's `python -m stages.…`."""
        words = shlex.split(line)
        is_plain = shlex.join(words) == line and words[:2] == ["python", "-m"]
        if not (is_plain and words[2:] and words[2].startswith("stages.")):
            return None
        with self._one_thread:
            if not self._server:
                try:
                    self._server = self._start()
                except OSError:  # a path too long for a socket, no memory: it starts cold
                    return None
        return [sys.executable, "-I", "-S", str(_PROGRAM), "ask", self._address, *words[2:]]

    def close(self) -> None:
        """End the server; to be called when no stage runs."""
        if self._server and self._server.stdin:
            self._server.kill()
            self._server.wait()
            self._server.stdin.close()
        self._folder.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        from kdtasks.core.reproducibility import pins  # here: a run with nothing to do waits for
        from kdtasks.params import load_params  # neither NumPy nor pydantic

        runtime = load_params(ProjectPaths(self._project).params).runtime
        self._address = str(self._folder.enter_context(socket_folder()) / "warm")
        pinned = pins(runtime.threads, precision=runtime.precision, device=runtime.device)
        variables = json.dumps(pinned)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen(_QUEUE)  # from here on clients wait for its imports
            number = listener.fileno()
            return subprocess.Popen(
                # -P: this folder is no place to import from
                [sys.executable, "-P", str(_PROGRAM), "serve", str(number), variables],
                env=child_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[number],
                start_new_session=True,
            )
