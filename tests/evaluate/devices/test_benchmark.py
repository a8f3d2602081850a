"""On a real OpenSSH server, in a home with nothing but Python."""

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import stages.benchmark
from kdtasks.cli.bench import bench_bundle
from kdtasks.core.errors import DeviceError
from kdtasks.core.files import write_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.benchmark import Benchmark, TimedOnDevice
from kdtasks.edge.benchmark import Timing
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.evaluate.devices import benchmark
from kdtasks.evaluate.devices.benchmark import benchmark_on
from kdtasks.orchestrate.search import trial
from kdtasks.params import Params, load_params
from tests.tools.ssh_server import SshServer

MODEL = Path(__file__).parents[3] / "results/mlperf-tiny/int8.tflite"  # two exits
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
TIMING = Timing(threads=1, rounds=3, warmup=1)
ENDLESS = TIMING._replace(rounds=1_000_000)


@pytest.fixture(scope="module")
def device(ssh_server: SshServer) -> SshServer:
    """Numpy and LiteRT are installed there."""
    try:
        benchmark_on(ssh_server.address, [MODEL], IMAGES, TIMING)
    except DeviceError as error:
        if "no wheels" in str(error):
            pytest.skip(str(error))
        raise
    return ssh_server


def test_what_was_not_installed_is_said(ssh_server, monkeypatch):
    monkeypatch.setattr(benchmark, "requirements", lambda: ["other versions"])
    with pytest.raises(
        DeviceError, match=r"lacks a package \(No module named 'numpy'\).*--install"
    ):
        benchmark_on(ssh_server.address, [MODEL], IMAGES, TIMING, install=False)


def test_packages_of_its_own_are_enough(ssh_server, monkeypatch):
    (site,) = ssh_server.python.glob("lib/python*/site-packages")
    monkeypatch.setattr(benchmark, "requirements", lambda: ["other versions"])
    monkeypatch.setattr(benchmark, "download", lambda *given: pytest.fail("installed"))
    own = site / "own.pth"
    own.write_text(f"{Path(np.__file__).parents[1]}\n", encoding="utf-8")
    try:
        assert benchmark_on(ssh_server.address, [MODEL], IMAGES, TIMING).bundles
    finally:
        own.unlink()


def test_a_device_answers_as_this_machine_does(device, monkeypatch):
    monkeypatch.setattr(benchmark, "download", lambda *given: pytest.fail("installed again"))
    assert len(list((device.home / ".cache/kdtasks/bench").iterdir())) == 1
    there = benchmark_on(device.address, [MODEL, MODEL], [*IMAGES], TIMING)
    here = benchmark_on(None, [MODEL, MODEL], IMAGES, TIMING)
    assert there.cpu == here.cpu
    assert [it.exit_rate for it in there.bundles] == [it.exit_rate for it in here.bundles]
    assert all(it.latency_ms.mean > 0 for it in there.bundles)
    assert not any(device.temporary.iterdir())


def test_a_bundle_that_a_device_cannot_run_is_one_sentence(device, tmp_path):
    (tmp_path / "bad.tflite").write_bytes(b"bad")
    with pytest.raises(DeviceError, match=rf"^{device.address}: BundleError: \S+/0\.tflite "):
        benchmark_on(device.address, [tmp_path / "bad.tflite"], IMAGES, TIMING, install=False)


def test_the_command_tells_where_and_how(device, tmp_path, capsys):
    np.save(tmp_path / "image.npy", IMAGES[0])
    options = {"rounds": 2, "threads": 1, "device": device.address}
    bench_bundle(MODEL, [str(tmp_path / "image.npy")], **options)
    assert f"on {device.address}: clock governor " in capsys.readouterr().out
    bench_bundle(MODEL, [str(tmp_path / "image.npy")], as_json=True, **options)
    found = json.loads(capsys.readouterr().out)
    assert found["device"] == device.address
    assert {"governor", "celsius_before", "celsius_after", "throttled"} <= found.keys()


def test_the_stage_times_here_and_there(device, tmp_path, monkeypatch):
    content = load_params(MODEL.parents[2] / "recipes/mnist-5k.yaml").model_dump()
    content["benchmark"] |= {"devices": [device.address], "images": 6, "rounds": 2}
    content["select"]["device"] = device.address
    params, paths = Params.model_validate(content), ProjectPaths(tmp_path)
    bundle, model = paths.bundle("int8"), MODEL.read_bytes()
    bundle.mkdir(parents=True)
    (bundle / "model.tflite").write_bytes(model)
    sha256 = hashlib.sha256(model).hexdigest()
    manifest = dataclasses.replace(read_manifest(MODEL), sha256=sha256, bytes=len(model))
    write_json(bundle / "manifest.json", manifest.to_json())
    monkeypatch.setattr(stages.benchmark, "open_prepared", lambda folder: Prepared())
    stages.benchmark.main(params, paths, "int8")
    found = Benchmark.read(paths.metrics("benchmark", "int8"))
    there = found.on(device.address)
    assert isinstance(there, TimedOnDevice)
    assert there.exit_rate == found.exit_rate
    assert (there.cpu, found.images, found.rounds) == (found.cpu, 6, 2)
    assert found.on(None) is found
    assert found.on("ssh://other") is None
    monkeypatch.setattr(trial, "open_prepared", lambda folder: Prepared())
    # a search times where `select` does
    monkeypatch.setattr(benchmark, "time_bundles", lambda *given: pytest.fail("timed here"))
    assert trial.time_bundle(paths, params, "int8").mean > 0


class Prepared:
    def timed_images(self, count: int) -> np.ndarray:
        return IMAGES[:count]


def test_a_connection_that_is_lost_once_costs_a_retry(device):
    with meanwhile(lambda: cut(device)):
        timing = TIMING._replace(rounds=100)  # long enough to be cut
        run = benchmark_on(device.address, [MODEL], IMAGES, timing, install=False)
    assert run.bundles[0].latency_ms.mean > 0
    assert_nothing_left(device)


def test_one_that_is_always_lost_is_one_sentence(device):
    with (
        meanwhile(lambda: cut(device, times=2)),
        pytest.raises(DeviceError, match=r"did not answer, or went away, twice \(.+\); see that"),
    ):
        benchmark_on(device.address, [MODEL], IMAGES, ENDLESS, install=False)
    assert_nothing_left(device)


@pytest.mark.parametrize("end", ["ctrl_c", "kill_9"])
def test_nothing_is_left_running(device, tmp_path, end):
    np.save(tmp_path / "image.npy", IMAGES[0])
    words = ["bench", str(MODEL), str(tmp_path / "image.npy"), "--rounds", str(ENDLESS.rounds)]
    command = [sys.executable, "-m", "kdtasks", *words, "--on", device.address]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        wait_until(lambda: device.programs() and any(device.temporary.iterdir()))
        running = device.programs()
        if end == "ctrl_c":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.kill()  # ssh lives on until it finds its input closed
        assert process.wait(60) != 0
    wait_until(lambda: not any(is_running(each) for each in running))
    assert_nothing_left(device)


def cut(device: SshServer, times: int = 1) -> None:
    """Kill the connection once its program runs there."""
    for _ in range(times):
        wait_until(lambda: device.programs() and any(device.temporary.iterdir()))
        device.cut()
        wait_until(lambda: not device.connections())


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive()


def wait_until(holds: Callable[[], object]) -> None:
    for _ in range(1200):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail("it never came true")


def assert_nothing_left(device: SshServer) -> None:
    wait_until(lambda: not device.programs() and not any(device.temporary.iterdir()))


def is_running(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
