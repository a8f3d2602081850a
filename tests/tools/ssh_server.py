"""A real OpenSSH server on this machine, whose user has a home of its own and Python alone."""

import os
import shutil
import signal
import socket
import subprocess
import time
import venv
from collections.abc import Iterator
from getpass import getuser
from pathlib import Path
from typing import NamedTuple

import pytest

_SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
SetEnv HOME={home} TMPDIR={temporary} PATH={python}:/usr/bin:/bin
"""
_CLIENT = """
Host *
IdentityFile {folder}/user
IdentitiesOnly yes
StrictHostKeyChecking no
UserKnownHostsFile {folder}/known
LogLevel ERROR
"""


class SshServer(NamedTuple):
    """A server that runs.

    Attributes:
        address: of the device that it stands for.
        python: folder of the environment that its `python3` is of.
        home: of its user.
        temporary: folder of temporary files.
        process: of the server.
    """

    address: str
    python: Path
    home: Path
    temporary: Path
    process: subprocess.Popen

    def connections(self) -> list[int]:
        """Processes of the server, one a connection at least."""
        return _below(self.process.pid, name="sshd")

    def programs(self) -> list[int]:
        """Processes that run on the device."""
        return [each for each in _below(self.process.pid) if each not in self.connections()]

    def cut(self) -> None:
        """Kill every connection, as a device that loses its power would."""
        for each in self.connections():
            os.kill(each, signal.SIGKILL)


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """Start a server; skips where there is none."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("sshd is not installed (Debian's openssh-server)")
    folder = tmp_path_factory.mktemp("ssh")
    home, temporary = folder / "home", folder / "temporary"
    home.mkdir()
    temporary.mkdir()
    venv.create(folder / "python", symlinks=True)
    for key in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(command, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"port": port, "folder": folder, "home": home, "temporary": temporary}
    settings["python"] = folder / "python/bin"
    (folder / "server").write_text(_SERVER.format(**settings))
    (folder / "client").write_text(_CLIENT.format(**settings))
    # the client has no variable that names its settings
    client = folder / "bin/ssh"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/client "$@"\n')
    client.chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # as Debian's script of the service does
    log = folder / "log"
    process = subprocess.Popen([program, "-D", "-f", str(folder / "server"), "-E", str(log)])
    try:
        _wait_for(port, process, log)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", f"{client.parent}:{os.environ['PATH']}")
            address = f"ssh://{getuser()}@127.0.0.1:{port}"
            yield SshServer(address, folder / "python", home, temporary, process)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.skip(f"sshd does not run here: {log.read_text().strip()}")
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"sshd does not listen: {log.read_text()}")


def _below(parent: int, name: str | None = None) -> list[int]:
    """Processes that descend from one."""
    parents, names = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:  # it has just ended
            continue
        pid = int(stat.parent.name)
        names[pid] = text.partition("(")[2].rpartition(")")[0]
        state, parents[pid] = text.rpartition(")")[2].split()[:2]
        if state == "Z":
            del parents[pid]
    found, waiting = [], [parent]
    while waiting:
        one = waiting.pop()
        children = [pid for pid, its in parents.items() if int(its) == one]
        found += children
        waiting += children
    return [pid for pid in found if name in (None, names[pid])]
