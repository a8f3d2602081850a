"""A real S3 server for tests: Ceph's gateway over one store in memory, on loopback only.

    python -m tests.tools.ceph_gateway up FOLDER [--port PORT]    prints the endpoint
    python -m tests.tools.ceph_gateway down FOLDER
    python -m tests.tools.ceph_gateway run FOLDER    up, and down when standard input ends

Debian's packages are downloaded by apt-get and unpacked into a cache (--packages), once: 60 MB, and
260 MB on the disk. Nothing is installed and nothing has to run as root. The access key is `test`,
the secret key `testsecret`. FOLDER holds logs; what is stored is gone when the server stops.
Where the packages cannot be had the exit status is 69, where the server does not start it is 1.
"""

import argparse
import contextlib
import http.client
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.tools.debian_packages import PackagesError, unpack

_PACKAGES = ("radosgw", "ceph-mon", "ceph-osd", "ceph-base", "ceph-common")
ACCESS_KEY, SECRET_KEY = "test", "testsecret"
_MEMORY_BYTES = 8 << 30  # at most; only what is stored is used
_START_SECONDS = 90.0
_DATA = ("monitor", "osd", "gateway")

_CONFIGURATION = Path(__file__).with_name("ceph.conf")


class GatewayError(Exception):
    """The server does not start; the message says why."""


def main() -> None:
    """Start or stop a server."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("up", "down", "run"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--packages", type=Path, default=default_packages(), help="the cache")
    parser.add_argument("--port", type=int, help="of the gateway; without it a free one")
    options = parser.parse_args()
    folder = options.folder.resolve()
    try:
        if options.verb != "down":
            packages, port = options.packages.resolve(), options.port or _free_port()
            print(start(folder, packages, port), flush=True)
        if options.verb == "run":
            signal.signal(signal.SIGTERM, lambda *_: sys.exit())
            sys.stdin.read()
    except PackagesError as error:
        print(f"no Ceph gateway: {error}", file=sys.stderr)
        sys.exit(os.EX_UNAVAILABLE)
    except GatewayError as error:
        sys.exit(f"no Ceph gateway: {error}")
    finally:
        if options.verb != "up":
            stop(folder)


def default_packages() -> Path:
    """Where unpacked packages are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "kdtasks" / "ceph-gateway"


def start(folder: Path, packages: Path, port: int) -> str:
    """Start a server, after stopping one that this folder ran before; gives its endpoint.

    Raises:
        PackagesError: Debian's packages cannot be had here.
        GatewayError: they are there, but the server does not start.
    """
    stop(folder)
    root = unpack(_PACKAGES, packages)
    for name in _DATA:
        (folder / name).mkdir(parents=True)
    cluster = _Cluster(root, folder, port)
    try:
        cluster.start()
    except BaseException:
        stop(folder)
        raise
    return f"http://127.0.0.1:{port}"


def stop(folder: Path) -> None:
    """End all that this folder runs and delete what it stored; logs stay."""
    files = list(folder.glob("*.pid"))
    numbers = [int(file.read_text()) for file in files]
    for number in numbers:
        _kill(number)
    until = time.monotonic() + 10.0
    while any(_is_running(number) for number in numbers) and time.monotonic() < until:
        time.sleep(0.1)
    for file in (*files, folder / "keyring", folder / "monitors"):
        file.unlink(missing_ok=True)
    for name in _DATA:
        shutil.rmtree(folder / name, ignore_errors=True)


class _Cluster:
    """One monitor, one store in memory and one gateway."""

    def __init__(self, root: Path, run: Path, port: int) -> None:
        self._bin, self._run, self._port = root / "usr" / "bin", run, port
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        libraries = root / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
        self._environment = {
            **os.environ,
            "CEPH_CONF": str(run / "ceph.conf"),
            "PYTHONPATH": str(root / "usr" / "lib" / "python3" / "dist-packages"),
            "LD_LIBRARY_PATH": os.pathsep.join(
                str(path)
                for path in (
                    root / "lib" / libraries.name,
                    libraries,
                    libraries / "ceph",
                    root / "usr" / "lib" / "ceph",
                )
            ),
        }
        self._fsid = str(uuid.uuid4())
        self._monitor_port, self._old_monitor_port = _free_port(), _free_port()
        (run / "ceph.conf").write_text(
            _CONFIGURATION.read_text().format(
                fsid=self._fsid,
                run=run,
                port=port,
                monitor_port=self._monitor_port,
                old_monitor_port=self._old_monitor_port,
                memory=_MEMORY_BYTES,
                classes=_folder_of(root, "libcls_rgw.so"),
                erasure_codes=_folder_of(root, "libec_jerasure.so"),
                plugins=libraries / "ceph",
            )
        )

    def start(self) -> None:
        """Start the three, one after another, and wait until the gateway answers."""
        run = self._run
        (run / "keyring").touch()
        for name, capabilities in (
            ("mon.", {"mon": "allow *"}),
            ("client.admin", {"mon": "allow *", "osd": "allow *", "mgr": "allow *"}),
            ("client.rgw", {"mon": "allow *", "osd": "allow *", "mgr": "allow *"}),
            ("osd.0", {"mon": "allow profile osd", "osd": "allow *"}),
        ):
            words = [word for pair in capabilities.items() for word in ("--cap", *pair)]
            self._do("ceph-authtool", str(run / "keyring"), "--gen-key", "-n", name, *words)
        addresses = f"[v2:127.0.0.1:{self._monitor_port},v1:127.0.0.1:{self._old_monitor_port}]"
        monitors, keyring = str(run / "monitors"), str(run / "keyring")
        self._do("monmaptool", "--create", "--addv", "a", addresses, "--fsid", self._fsid, monitors)
        self._do("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors, "--keyring", keyring)
        self._spawn("ceph-mon", "-i", "a", "-f")
        store = str(uuid.uuid4())
        self._admin("osd", "new", store, "0")
        self._do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", store)
        self._spawn("ceph-osd", "-i", "0", "-f")
        self._wait(lambda: "1 up" in self._admin("-s"), "its store did not come up")
        user = ("--uid=test", "--display-name=test")
        keys = (f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}")
        self._do("radosgw-admin", "-n", "client.rgw", "user", "create", *user, *keys)
        self._spawn("radosgw", "-n", "client.rgw", "-f")
        self._wait(self._answers, "the gateway did not answer")

    def _do(self, program: str, *words: str) -> str:
        return self._ask([str(self._bin / program), *words])

    def _admin(self, *words: str) -> str:
        """Run the administrator's command, which is a script of the system's Python."""
        ceph = str(self._bin / "ceph")
        return self._ask(["/usr/bin/python3", ceph, "--connect-timeout", "30", *words])

    def _ask(self, command: list[str]) -> str:
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=_START_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise GatewayError(f"{' '.join(command)} took {_START_SECONDS:.0f} s") from None
        if done.returncode:
            raise GatewayError(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")
        return done.stdout

    def _spawn(self, program: str, *words: str) -> None:
        with (self._run / f"{program}.out").open("wb") as output:
            process = subprocess.Popen(
                [str(self._bin / program), *words],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self._run / f"{program}.pid").write_text(str(process.pid))
        self._running[program] = process

    def _wait(self, is_ready: Callable[[], bool], problem: str) -> None:
        until = time.monotonic() + _START_SECONDS
        while not is_ready():
            for program, process in self._running.items():
                if process.poll() is not None:
                    said = (self._run / f"{program}.out").read_text(errors="replace").strip()
                    raise GatewayError(f"{program} has ended: {said[-300:] or 'no message'}")
            if time.monotonic() > until:
                raise GatewayError(f"{problem} within {_START_SECONDS:.0f} s; see {self._run}")
            time.sleep(0.3)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except OSError:
            return False
        finally:
            connection.close()


def _folder_of(root: Path, library: str) -> Path:
    found = next(root.rglob(library), None)
    if found is None:
        raise GatewayError(f"its packages hold no {library}")
    return found.parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _kill(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)


def _is_running(number: int) -> bool:
    """Whether a process runs; one that has ended may be listed until somebody asks for it."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


if __name__ == "__main__":
    main()
