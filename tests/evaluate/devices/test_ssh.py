"""What becomes of an ssh that does not reach its device."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import DeviceError
from kdtasks.evaluate.devices import benchmark, ssh
from kdtasks.evaluate.devices.ssh import check_address, run_python


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a script in ssh's place; gives the file in which it counts its calls."""

    def put(script: str) -> Path:
        program = tmp_path / "ssh"
        program.write_text(f"#!/bin/sh\necho >> {tmp_path}/calls\n{script}\n")
        program.chmod(0o755)
        return tmp_path / "calls"

    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(ssh, "_PAUSE", 0.0)
    return put


@pytest.mark.parametrize("address", ["ssh://pi", "ssh://user@10.0.0.7:2222", "ssh://user@[::1]/"])
def test_addresses(address):
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address",
    ["pi", "http://pi", "ssh://", "ssh://user:secret@pi", "ssh://pi/home", "ssh://pi:port", ""],
)
def test_what_is_no_address(address):
    with pytest.raises(ValueError, match=rf"^{re.escape(repr(address))} is no device; give ssh://"):
        check_address(address)


def test_a_device_that_is_not_there_is_tried_twice(fake):
    calls = fake("echo Warning >&2; echo 'ssh: connect to host pi: refused' >&2; exit 255")
    with pytest.raises(
        DeviceError, match=r"twice \(ssh: connect to host pi: refused\); check that"
    ):
        run_python("ssh://pi", "pass", data=bytes(1_000_000))  # more than a pipe holds
    assert len(calls.read_text()) == 2


def test_a_program_that_fails_is_not_tried_again(fake):
    calls = fake("echo out; echo why >&2; exit 4")
    assert run_python("ssh://pi", "pass") == (4, "out\n", "why")
    assert len(calls.read_text()) == 1
    fake("exit 127")
    with pytest.raises(DeviceError, match="ssh://pi has no python3"):
        run_python("ssh://pi", "pass")


def test_without_ssh(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"no ssh here.*install OpenSSH's client"):
        run_python("ssh://pi", "pass")


def test_no_shell_reads_a_script_in_its_own_way():
    for script in (benchmark._PLACE, benchmark._LOOK, benchmark._RECEIVE, benchmark._INSTALL):
        assert not set("'\\") & set(script)
    assert not set("'\\") & set(benchmark._TIME)


def test_noise_of_a_shell_is_no_answer(fake):
    fake("echo Welcome")
    with pytest.raises(DeviceError, match=r"^ssh://pi answered 'Welcome\\n', JSON was expected"):
        benchmark.benchmark_on("ssh://pi", [], [], benchmark.Timing(1, 1, 1))
