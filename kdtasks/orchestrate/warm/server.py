"""A process that forks itself for commands, so that these need not import what it has."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from kdtasks.orchestrate.project.project import child_environment
from kdtasks.orchestrate.warm.folder import socket_folder

_PROGRAM = Path(__file__).with_name("program.py")

_QUEUE = 64


class WarmServer:
    """Started when the first command asks for it.

    Where it cannot be started, or has ended, commands start cold by themselves.
    """

    def __init__(self, modules: Sequence[str], folder: Path | None = None) -> None:
        """Args: `modules` it imports, in `folder` if that is given, and first from there."""
        self._modules, self._home = modules, folder
        self._one_thread = threading.Lock()
        self._folder = ExitStack()
        self._address = ""
        self._server: subprocess.Popen[bytes] | None = None

    def command(self, module: str, *arguments: str) -> list[str] | None:
        """What to start for `python -m MODULE ARGUMENT…`; None where only that can be."""
        with self._one_thread:
            if not self._server:
                try:
                    self._server = self._start()
                except OSError:  # a path too long for a socket, no memory: it starts cold
                    return None
        return [sys.executable, "-I", "-S", str(_PROGRAM), "ask", self._address, module, *arguments]

    def retire(self) -> None:
        """Let the server end once no command runs."""
        if self._server and self._server.stdin:
            with suppress(BrokenPipeError):
                self._server.stdin.close()

    def close(self) -> None:
        """End the server; to be called when no command runs."""
        self.retire()
        if self._server:
            self._server.kill()
            self._server.wait()
        self._folder.close()

    def _variables(self) -> Mapping[str, str]:
        """What the server's environment has besides."""
        return {}

    def _start(self) -> "subprocess.Popen[bytes]":
        variables = json.dumps(self._variables())
        self._address = str(self._folder.enter_context(socket_folder()) / "warm")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen(_QUEUE)  # from here on clients wait for its imports
            number = listener.fileno()
            words = (str(number), variables, str(self._home or ""), *self._modules)
            return subprocess.Popen(
                # -P: this folder is no place to import from
                [sys.executable, "-P", str(_PROGRAM), "serve", *words],
                cwd=self._home,
                env=child_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[number],
                start_new_session=True,
            )
