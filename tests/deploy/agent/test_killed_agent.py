"""`kdtasks agent` as a process of its own: killed, started again, ended in order."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.deploy.agent.conftest import wait_until
from tests.tools.light_bundles import DARK


@contextmanager
def agent(store: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run one until the block ends; gives the process and its address."""
    words = ["--model", "light", "--store", str(store), "--state", str(folder / "state")]
    words += ["--port", "0", "--interval", "0.2", "--telemetry-interval", "0.2", "--device", "d"]
    with subprocess.Popen(
        [sys.executable, "-m", "kdtasks", "agent", *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KDTASKS_CACHE": str(folder / "cache")},
    ) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if " listens at " in line)
            yield process, line.split(" listens at ")[1].strip()
        finally:
            process.kill()


def version_at(url: str) -> int:
    with httpx.Client(trust_env=False, verify=False, timeout=60) as client:
        answer = client.post(f"{url}predict", content=DARK)
    assert answer.status_code == 200
    return int(answer.json()["model"]["version"])


def test_kill_9_and_no_store(store, release, tmp_path: Path):
    release()
    with agent(store.root, tmp_path) as (process, url):
        assert version_at(url) == 1
        release(variant="int8")
        wait_until(lambda: version_at(url) == 2)
        wait_until(lambda: len(store.telemetry()) > 0)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    store.root.rename(tmp_path / "away")
    shutil.rmtree(tmp_path / "cache")
    with agent(store.root, tmp_path) as (process, url):
        assert version_at(url) == 2
        wait_until(lambda: any((tmp_path / "state" / "spool").glob("*.jsonl")))
        (tmp_path / "away").rename(store.root)
        wait_until(lambda: not any((tmp_path / "state" / "spool").glob("*.jsonl")))
        release(variant="int16")
        wait_until(lambda: version_at(url) == 3)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
    assert {one.version for one in store.telemetry()} == {1, 2, 3}
