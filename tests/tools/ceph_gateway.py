"""A real S3 server for tests: Ceph's gateway over one store in memory, on loopback only.

    python -m tests.tools.ceph_gateway up FOLDER [--port PORT]    prints the endpoint
    python -m tests.tools.ceph_gateway down FOLDER

Debian's packages are downloaded by apt-get and unpacked into a cache (--packages), once: 60 MB, and
260 MB on the disk. Nothing is installed and nothing has to run as root. The access key is `test`,
the secret key `testsecret`. FOLDER holds logs; what is stored is gone when the server stops.
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
from pathlib import Path

from tests.tools.debian_packages import PackagesError, unpack

_PACKAGES = ("radosgw", "ceph-mon", "ceph-osd", "ceph-base", "ceph-common")
ACCESS_KEY, SECRET_KEY = "test", "testsecret"
_MEMORY_BYTES = 8 << 30  # at most; only what is stored is used
_START_SECONDS = 90.0

_CONFIGURATION = Path(__file__).with_name("ceph.conf")


class GatewayError(Exception):
    """The server cannot be had here; the message says why."""


def main() -> None:
    """Start or stop a server."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("up", "down"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--packages", type=Path, default=default_packages(), help="the cache")
    parser.add_argument("--port", type=int, help="of the gateway; without it a free one")
    options = parser.parse_args()
    folder = options.folder.resolve()
    try:
        if options.verb == "down":
            stop(folder)
        else:
            print(start(folder, options.packages.resolve(), options.port or _free_port()))
    except GatewayError as error:
        sys.exit(f"no Ceph gateway: {error}")


def default_packages() -> Path:
    """Where unpacked packages are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "kdtasks" / "ceph-gateway"


def start(folder: Path, packages: Path, port: int) -> str:
    """Start a server, after stopping one that this folder ran before; gives its endpoint."""
    stop(folder)
    try:
        root = unpack(_PACKAGES, packages)
    except PackagesError as error:
        raise GatewayError(str(error)) from None
    for name in ("monitor", "osd", "gateway"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    (folder / "keyring").unlink(missing_ok=True)
    (folder / "monitors").unlink(missing_ok=True)
    cluster = _Cluster(root, folder, port)
    try:
        cluster.start()
    except GatewayError:
        stop(folder)
        raise
    return f"http://127.0.0.1:{port}"


def stop(folder: Path) -> None:
    """End all that this folder runs; it has nothing to lose."""
    files = list(folder.glob("*.pid"))
    numbers = [int(file.read_text()) for file in files]
    for number in numbers:
        _kill(number)
    until = time.monotonic() + 10.0
    while any(_is_running(number) for number in numbers) and time.monotonic() < until:
        time.sleep(0.1)
    for file in files:
        file.unlink()


class _Cluster:
    """One monitor, one store in memory and one gateway."""

    def __init__(self, root: Path, run: Path, port: int) -> None:
        self._bin, self._run, self._port = root / "usr" / "bin", run, port
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
        command = [str(self._bin / program), *words]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise GatewayError(f"{program} failed: {last}")
        return done.stdout

    def _admin(self, *words: str) -> str:
        """Run the administrator's command, which is a script of the system's Python."""
        command = ["/usr/bin/python3", str(self._bin / "ceph"), "--connect-timeout", "30", *words]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise GatewayError(f"ceph {words[0]} failed: {done.stderr.strip()[-300:]}")
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

    def _wait(self, is_ready, problem: str) -> None:
        until = time.monotonic() + _START_SECONDS
        while not is_ready():
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
