import os
import signal
import subprocess
import sys
from pathlib import Path

from kdtasks.core.locks import locked, locked_if_free


def test_a_lock_is_held_alone_unless_shared(tmp_path: Path):
    path = tmp_path / "lock"
    with locked(path), locked_if_free(path) as lock:
        assert lock is None
    with locked(path, shared=True), locked(path, shared=True), locked_if_free(path) as lock:
        assert lock is None
    with locked_if_free(path) as lock:
        assert lock is not None


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path):
    code = (
        "import sys, time, pathlib\n"
        "from kdtasks.core.locks import locked\n"
        f"with locked(pathlib.Path({str(tmp_path / 'lock')!r})):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"held\n"
    with locked_if_free(tmp_path / "lock") as lock:
        assert lock is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with locked_if_free(tmp_path / "lock") as lock:
        assert lock is not None


def test_a_process_that_inherits_the_lock_holds_it(tmp_path: Path):
    path = tmp_path / "lock"
    with locked_if_free(path) as lock:
        assert lock is not None
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock])
    with locked_if_free(path) as lock:
        assert lock is None
    child.communicate()
    with locked_if_free(path) as lock:
        assert lock is not None
