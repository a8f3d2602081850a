"""Open and ask a foreign network in a process of its own: a loop without an end ends there.

A file may hold a graph that never answers, takes all memory, or kills whoever runs it. The process
that does all this for a stage may take so long and so much, and what becomes of it is one sentence.

    python -m kdtasks.learn.teachers.isolated DESCRIPTOR BYTES
"""

import atexit
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdtasks.core.backend import keras_3
from kdtasks.core.errors import TeacherError, shortened
from kdtasks.learn.teachers.formats import OpenedNetwork
from kdtasks.learn.teachers.network import format_of, open_network

# Seconds of computing that a file may take until it has answered one image, and bytes of it that
# are worth one more: large networks take a third of that on one core. So a small file ends soon,
# however long its graph is. To import libraries is not its work.
PATIENCE, BYTES, IMPORTING = 10.0, 1e6, 60.0

# An image in a batch may take so many times what the first took.
_SLOWER = 4.0

# Computing is what the processors did, for others may use them as well, and no less than this share
# of the time.
_SHARE = 1 / 30

SCRATCH = "kdtasks-teacher-"

# Of the machine's memory, so that the stage and the system live on.
_FRACTION = 0.8


def open_isolated(path: Path, *, layers: Sequence[str] = ()) -> OpenedNetwork:
    """Open a file as `open_network` does, in the process for foreign networks.

    Raises:
        TeacherError: as of `open_network`, also when the network is run: it fails, ends the
            process, or takes too long or too much memory.
    """
    process = _shared()
    request = {"path": str(path), "folder": str(Path.cwd()), "layers": list(layers)}
    problem = f"teacher.path: {path} was not opened"
    process.ask({**request, "only": "import"}, None, problem, IMPORTING)
    most = PATIENCE + _size(path) / BYTES
    opened = process.ask(request, None, problem, most)
    header, left = opened.header, most - opened.seconds
    known: list[float] = []  # seconds an image, of the first batch

    def run(images: np.ndarray) -> list[np.ndarray]:
        batch = np.ascontiguousarray(images, np.float32)
        problem = f"teacher.path: {path} did not answer {len(batch):,} images"
        if known:
            seconds = most + _SLOWER * len(batch) * known[0]
        else:  # a batch of a fixed size may hold one image, many times
            seconds = left * (1 if header["batch_size"] else len(batch))
        reply = process.ask({"network": header["network"]}, batch, problem, seconds)
        known.append(reply.seconds / len(batch))
        answers = reply.arrays
        expected = (len(batch), *header["output_shape"])
        shape = answers[0].shape
        if not fits(expected, shape):
            raise TeacherError(f"{problem}: it gave numbers of {shape}, {expected} were expected")
        return answers

    return OpenedNetwork(
        header["batch_size"],
        tuple(header["input_shape"]),
        tuple(header["output_shape"]),
        run,
        header["parameters"],
    )


def fits(shape: Sequence[int | None], actual: Sequence[int | None]) -> bool:
    """Whether shapes are the same; None fits any size."""
    return len(shape) == len(actual) and all(
        size in (None, number) for size, number in zip(shape, actual, strict=True)
    )


def _size(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


class _Reply(NamedTuple):
    """What came back, and the seconds of computing that it took."""

    header: dict[str, Any]
    arrays: list[np.ndarray]
    seconds: float


class _Process:
    """The other process, and the line to it; threads take turns."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        ours, theirs = socket.socketpair()
        # Whatever it leaves when it is killed goes with this folder.
        self._scratch = tempfile.TemporaryDirectory(prefix=SCRATCH)
        package = str(Path(__file__).parents[3])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        words = [str(theirs.fileno()), str(int(memory * _FRACTION))]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, *words],
                pass_fds=[theirs.fileno()],
                env=os.environ
                | {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": self._scratch.name},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._line = Connection(ours.detach())
        self._turn = threading.Lock()

    @property
    def identity(self) -> int:
        """The number that the system has for it."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked: by who has started it, and by no fork of that."""
        return self._owner == os.getpid() and self._process.poll() is None

    def ask(
        self, request: dict[str, Any], batch: np.ndarray | None, problem: str, seconds: float
    ) -> _Reply:
        """Send a request and wait for what comes back.

        Args:
            problem: what to say where nothing does.
            seconds: of computing, at most.

        Raises:
            TeacherError: nothing came in time, the process has ended, or it says so.
        """
        with self._turn:
            try:
                begin, used = time.monotonic(), self._used()
                _send(self._line, request, [] if batch is None else [batch])
                spent = 0.0
                while not self._line.poll(max(seconds - spent, 0.05)):
                    passed = time.monotonic() - begin
                    spent = max(min(passed, self._used() - used), passed * _SHARE)
                    if spent >= seconds:
                        self.end()
                        raise TeacherError(
                            f"{problem} within {seconds:,.3g} s of computing; look whether it is "
                            "needlessly long, save it for one image at a time, or let it answer "
                            "elsewhere (teacher.source: logits)"
                        )
                spent = min(time.monotonic() - begin, self._used() - used)
                header, arrays = _receive(self._line)
            except (OSError, EOFError) as error:
                self.end()
                raise TeacherError(
                    f"{problem}: it ended the process that runs it ({self._how()}); look whether "
                    "it takes more memory than there is, or is damaged, and save it anew"
                ) from error
        if "error" in header:
            raise TeacherError(
                header["error"] if header["is_ours"] else f"{problem}: {header['error']}"
            )
        return _Reply(header, arrays, spent)

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        with suppress(OSError):
            self._line.close()
        self._process.wait()
        self._scratch.cleanup()

    def _used(self) -> float:
        """Seconds of processors that it has taken so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_bytes().rpartition(b")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def _how(self) -> str:
        code = self._process.returncode
        return signal.Signals(-code).name if code and code < 0 else f"exit status {code}"


_processes: list[_Process] = []


def _shared() -> _Process:
    """The process, started again where it has ended; networks that it had open are lost."""
    if not _processes or not _processes[-1].is_alive:
        _processes[:] = [_Process()]
        atexit.register(_processes[-1].end)
    return _processes[-1]


def _send(line: Connection, header: dict[str, Any], arrays: Sequence[np.ndarray]) -> None:
    shapes = [(array.dtype.str, array.shape) for array in arrays]
    line.send_bytes(json.dumps({"arrays": shapes, **header}).encode())
    for array in arrays:
        line.send_bytes(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _receive(line: Connection) -> tuple[dict[str, Any], list[np.ndarray]]:
    header = json.loads(line.recv_bytes())
    shapes = header.pop("arrays")
    return header, [np.frombuffer(line.recv_bytes(), kind).reshape(shape) for kind, shape in shapes]


def _serve(line: Connection) -> None:
    """Open networks and run them, as asked, until nobody is there to ask."""
    networks: list[OpenedNetwork] = []
    while True:
        request, arrays = _receive(line)
        try:
            if "path" in request:
                os.chdir(request["folder"])
                path = Path(request["path"])
                if "only" in request:
                    if format_of(path).uses_tensorflow:
                        keras_3()
                    _send(line, {}, [])
                    continue
                opened = open_network(path, layers=request["layers"])
                networks.append(opened)
                header = {
                    "network": len(networks) - 1,
                    "batch_size": opened.batch_size,
                    "input_shape": opened.input_shape,
                    "output_shape": opened.output_shape,
                    "parameters": opened.parameters,
                }
                _send(line, header, [])
            else:
                outputs = networks[request["network"]].run(arrays[0])
                _send(line, {}, [np.asarray(output) for output in outputs])
        except OSError:
            raise
        except TeacherError as error:
            _send(line, {"error": str(error), "is_ours": True}, [])
        except MemoryError:
            _send(line, {"error": "it takes more memory than there is", "is_ours": False}, [])
        except Exception as error:  # a graph may fail in any way
            reason = f"{type(error).__name__}: {shortened(str(error))}"
            _send(line, {"error": reason, "is_ours": False}, [])


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Serve the process that has started this one."""
    descriptor, most = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):  # not every system counts it
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        _serve(Connection(descriptor))


if __name__ == "__main__":
    main()
