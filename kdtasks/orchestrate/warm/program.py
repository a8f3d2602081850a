"""The program behind warm commands: a server that forks itself, and what stands for a command.

`serve` imports modules once the first command is there, and then forks for every command that it
is asked for. Nothing but imports has happened before, so the fork is as a fresh process that has
just imported them. Where that includes kdtasks, a fork in a folder with other code of it, or with
extensions, forgets what was imported of it and imports its own. The server ends once its standard
input does and no command is left.

`ask` is started in place of `python -m MODULE ARGUMENT…`: it has the process group, the streams and
the exit status of the stage, and hands signals on; until the stage runs they end it. Without a
server it becomes that command. It sends the stage with its streams, gets a byte as soon as that
runs and then the exit status, as `subprocess` counts it; each byte that it sends meanwhile is a
signal. When it goes away, the stage is killed with all that it started.
"""

import atexit
import contextlib
import ctypes
import gc
import hashlib
import importlib
import importlib.util
import io
import json
import os
import pkgutil
import runpy
import select
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

_STARTED = b"+"
_STATUS = struct.Struct("!i")
_LENGTH = struct.Struct("!I")
_NAMES = ("stdin", "stdout", "stderr")
_STREAMS = len(_NAMES)
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE_SECONDS = 5.0
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux

# NumPy comes before the variables are set, as in a stage: its BLAS looks at them when it is loaded.
_FIRST = "numpy"

_PACKAGE, _EXTENSIONS = "kdtasks", "extensions"


class _Code:
    """The code of kdtasks that has been imported, which serves folders with the same alone."""

    def __init__(self) -> None:
        # a folder's own is not found yet
        found = importlib.util.find_spec(_PACKAGE)
        self._installed = Path(found.origin).parent if found and found.origin else None
        self._hash = b""

    def import_all(self, packages: Sequence[str], folder: str) -> None:
        """Import packages with all their modules, as commands in a folder do.

        Not with extensions, which come with them: they may start threads, and what has some must
        not fork.
        """
        if _has_extensions(folder):
            return
        states = self._states(folder)
        self._hash = self._hash_of(folder)
        for name in packages if self._hash else ():
            with contextlib.suppress(Exception):  # a command that imports it will say so
                path = getattr(importlib.import_module(name), "__path__", ())
                for found in pkgutil.walk_packages(path, f"{name}.", onerror=lambda _: None):
                    with contextlib.suppress(Exception):
                        importlib.import_module(found.name)
        if self._states(folder) != states:  # the files that were hashed may not be those imported
            self._hash = b"nobody's"

    def forget_other(self, folder: str) -> None:
        """Forget what was imported, unless commands in this folder run the same."""
        if self._hash and (_has_extensions(folder) or self._hash != self._hash_of(folder)):
            for name in list(sys.modules):
                if name.partition(".")[0] == _PACKAGE:
                    del sys.modules[name]

    def _hash_of(self, folder: str) -> bytes:
        """Of all that the package holds; empty where that cannot be told."""
        hashed, package = hashlib.sha256(), self._package(folder)
        try:
            for file in _files(package):
                name, content = os.fsencode(file.relative_to(package)), file.read_bytes()
                hashed.update(b"%s\0%d\0" % (name, len(content)))
                hashed.update(content)
        except OSError:
            return b""
        return hashed.digest()

    def _states(self, folder: str) -> list[tuple[int, int]]:
        """What differs once a file was written, even if that has been undone."""
        with contextlib.suppress(OSError):
            states = [file.stat() for file in _files(self._package(folder))]
            return [(state.st_ino, state.st_ctime_ns) for state in states]
        return []

    def _package(self, folder: str) -> Path:
        own = Path(folder, _PACKAGE)
        return self._installed if self._installed and not (own / "__init__.py").is_file() else own


def _files(folder: Path) -> list[Path]:
    """The files below a folder but compiled ones, in a fixed order.

    Raises:
        OSError: a folder is a link; who follows it may see others tomorrow.
    """
    files: list[Path] = []
    for path, folders, names in os.walk(folder):
        folders[:] = set(folders) - {"__pycache__"}
        if any(Path(path, name).is_symlink() for name in folders):
            raise OSError(f"{path} holds a link to a folder")
        files += (Path(path, name) for name in names)
    return sorted(file for file in files if file.is_file())


def _has_extensions(folder: str) -> bool:
    return any(pkgutil.iter_modules([str(Path(folder, _EXTENSIONS))]))


def _receive(connection: socket.socket, streams: list[int]) -> list[object]:
    """Read what a client sends; its streams are put into `streams` as soon as they are there."""
    connection.settimeout(_PATIENCE_SECONDS)
    head, received, *_ = socket.recv_fds(connection, _LENGTH.size, _STREAMS)
    streams += received
    length, body = _LENGTH.unpack(head)[0], b""
    while len(body) < length:
        part = connection.recv(length - len(body))
        if not part:
            raise ConnectionError
        body += part
    connection.settimeout(None)
    request: list[object] = json.loads(body.decode("utf-8", "surrogateescape"))
    return request


def _open_anew(name: str, number: int, *, is_unbuffered: bool) -> None:
    """Forget what Python knows of a stream: the server's may be sought in, a pipe may not."""
    old = getattr(sys, name)
    mode, buffering = ("rb", -1) if name == "stdin" else ("wb", 0 if is_unbuffered else -1)
    stream = io.TextIOWrapper(
        open(number, mode, buffering, closefd=False),  # noqa: SIM115
        encoding=old.encoding,
        errors=old.errors,
        line_buffering=name == "stderr" or os.isatty(number),
        write_through=is_unbuffered,
    )
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


def _become(request: list[object], streams: list[int], server: int, code: _Code) -> NoReturn:
    """Run the stage as `python -m` would, in the fork, and end as it does."""
    module, arguments, folder, environment = request
    os.setsid()
    # Whoever watches the client cannot know of this process once the server is gone.
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != server:
        raise SystemExit(1)
    is_unbuffered = bool(environment.get("PYTHONUNBUFFERED"))  # type: ignore[attr-defined]
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
        _open_anew(_NAMES[number], number, is_unbuffered=is_unbuffered)
    os.chdir(str(folder))
    os.environ.clear()
    os.environ.update(environment)  # type: ignore[call-overload]
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code.forget_other(str(folder))
    sys.path.insert(0, str(folder))
    sys.argv = [str(module), *map(str, arguments)]  # type: ignore[call-overload]
    importlib.invalidate_caches()
    status = 0
    try:
        runpy.run_module(str(module), run_name="__main__", alter_sys=True)
    except SystemExit as ending:
        if not isinstance(ending.code, int | None):
            raise
        status = ending.code or 0
    except Exception:
        sys.excepthook(*sys.exc_info())
        status = 1
    _end(status)


def _end(status: int) -> NoReturn:
    """End as the interpreter does, but without taking a million objects apart, for 0.25 s."""
    with contextlib.suppress(KeyboardInterrupt):
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # a reader that is gone, a closed stream
            status = status or 120
    ctypes.CDLL(None).fflush(None)
    os._exit(status & 0xFF)


class _Server:
    def __init__(self, listener: socket.socket, code: _Code) -> None:
        self._listener, self._code = listener, code
        self._clients: dict[socket.socket, int] = {}  # and their stages, by process and group
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._leave)
        wake, wakeup = os.pipe()
        for end in (wake, wakeup):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(wake, selectors.EVENT_READ, self._collect)
        self._is_leaving = False

    def serve(self) -> None:
        while not self._is_leaving or self._clients:
            for key, _ in self._selector.select():
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        """Fork for a client; one that cannot be served is let go, and runs its stage cold."""
        streams: list[int] = []
        server, process, connection = os.getpid(), None, None
        try:
            connection, _ = listener.accept()
            request = _receive(connection, streams)
            process = os.fork()
        except (OSError, ValueError, struct.error):  # the client is gone, or there is no memory
            if connection:
                connection.close()
        if process == 0 and connection:
            self._selector.close()
            for other in (listener, connection, *self._clients):
                other.close()
            _become(request, streams, server, self._code)
        for stream in streams:
            os.close(stream)
        if process and connection:
            self._clients[connection] = process
            self._selector.register(connection, selectors.EVENT_READ, self._receive_signals)
            with contextlib.suppress(OSError):
                connection.sendall(_STARTED)

    def _receive_signals(self, connection: socket.socket) -> None:
        """Hand on the client's signals."""
        if connection not in self._clients:  # its stage ended in the same moment
            return
        numbers: bytes | list[int] = b""
        with contextlib.suppress(OSError):
            numbers = connection.recv(64)
        if not numbers:
            numbers = [signal.SIGKILL]
            self._selector.unregister(connection)
        for number in numbers:
            _signal(self._clients[connection], number)

    def _collect(self, wake: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        for connection, process in list(self._clients.items()):
            ended, status = os.waitpid(process, os.WNOHANG)
            if not ended:
                continue
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGTERM)  # what it left behind
            del self._clients[connection]
            with contextlib.suppress(KeyError):  # the client went away first
                self._selector.unregister(connection)
            with contextlib.suppress(OSError):
                connection.sendall(_STATUS.pack(os.waitstatus_to_exitcode(status)))
            connection.close()

    def _leave(self, stdin: int) -> None:
        self._is_leaving = True
        for file in (stdin, self._listener):
            self._selector.unregister(file)
        self._listener.close()


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:  # it has no group of its own yet, or has ended
        with contextlib.suppress(ProcessLookupError):
            os.kill(group, number)


def serve(listener_number: str, variables: str, folder: str, packages: str, *modules: str) -> None:
    """Serve until standard input ends, and remove the socket then; its folder is the caller's.

    Args:
        listener_number: descriptor of a listening socket.
        variables: JSON; set before the modules are imported.
        folder: where modules are looked for first; empty for none.
        packages: JSON; of kdtasks, imported with all their modules; empty for none.
        modules: to be imported before them.
    """
    listener, code = socket.socket(fileno=int(listener_number)), _Code()
    address = listener.getsockname()
    wanted, _, _ = select.select([listener, sys.stdin], [], [])
    if listener in wanted:
        importlib.import_module(_FIRST)
        os.environ.update(json.loads(variables))
        gc.disable()  # it would look through all that is imported, and stays, again and again
        sys.path[:0] = [folder] if folder else []
        for name in modules:
            importlib.import_module(name)
        if packages:
            code.import_all(json.loads(packages), folder)
        if folder:
            sys.path.remove(folder)  # a command has its own
        gc.collect()
        gc.freeze()  # the forks' collectors leave the pages that they share alone
        gc.enable()
    _Server(listener, code).serve()
    with contextlib.suppress(OSError):  # a run that was killed has not removed it
        os.unlink(address)  # noqa: PTH108


def ask(address: str, module: str, *arguments: str) -> None:
    """Have a stage run in this process's folder and environment, and end as it does."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
        _send(connection, module, arguments)
    except OSError:
        _run_cold(module, arguments)

    started = answer = b""

    def hand_on(number: int, frame: FrameType | None) -> None:
        if not started:  # the server may import for long; it kills a stage whose client is gone
            raise SystemExit(1)
        with contextlib.suppress(OSError):
            connection.send(bytes([number]))

    for number in _STOPS:
        signal.signal(number, hand_on)
    with contextlib.suppress(ConnectionError):
        started = connection.recv(len(_STARTED))
    if not started:
        _run_cold(module, arguments)
    with contextlib.suppress(ConnectionError):
        answer = connection.recv(_STATUS.size, socket.MSG_WAITALL)
    if len(answer) < _STATUS.size:
        raise SystemExit("the process that this stage was forked from has ended")
    (status,) = _STATUS.unpack(answer)
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    raise SystemExit(status)


def _send(connection: socket.socket, module: str, arguments: Sequence[str]) -> None:
    request = [module, arguments, os.getcwd(), dict(os.environ)]  # noqa: PTH109
    body = json.dumps(request).encode("utf-8", "surrogateescape")
    socket.send_fds(connection, [_LENGTH.pack(len(body))], list(range(_STREAMS)))
    connection.sendall(body)


def _run_cold(module: str, arguments: Sequence[str]) -> NoReturn:
    for number in _STOPS:
        signal.signal(number, signal.SIG_DFL)
    os.execvp("python", ["python", "-m", module, *arguments])


def main() -> None:
    """Do what the command line asks for."""
    what, *arguments = sys.argv[1:]
    if what == "serve":
        serve(*arguments)
    else:
        ask(*arguments)


if __name__ == "__main__":
    main()
