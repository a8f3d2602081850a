"""Time bundles on a device: send them, numpy, LiteRT and this package's part for devices."""

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.errors import DeviceError
from kdtasks.core.installed import PACKAGE
from kdtasks.edge.benchmark import (
    BUNDLES,
    IMAGES,
    TIMING,
    BenchmarkRun,
    Timing,
    time_bundles,
)
from kdtasks.edge.latency import Images
from kdtasks.evaluate.devices.ssh import RemoteResult, run_python
from kdtasks.evaluate.devices.wheels import Platform, download, requirements

_MISSING = 3  # status of a device that lacks a package

# Before every script: where a device keeps what was installed, by versions, Python and processor.
_PLACE = """
import os, platform, sys
name = "-".join([sys.argv[1], sys.implementation.cache_tag, platform.machine()])
place = os.path.join(os.path.expanduser("~"), ".cache", "kdtasks", "bench", name)
if sys.version_info < (3, 11):
    sys.exit("its python3 is " + platform.python_version() + ", kdtasks needs 3.11 or later")
"""

_LOOK = """
import json
kind, glibc = platform.libc_ver()

def has_own():
    try:
        import ai_edge_litert.interpreter, numpy
    except Exception:  # they may be there, and not fit together
        return False
    return True

print(json.dumps({
    "needs_none": os.path.isdir(place) or has_own(),
    "python": "%d.%d" % sys.version_info[:2],
    "machine": platform.machine(),
    "glibc": int(glibc.split(".")[1]) if kind == "glibc" else None,
    "bits": 64 if sys.maxsize > 2**32 else 32,
}))
"""

# Receives an archive. Where the connection ends before its work does, the work is interrupted.
_RECEIVE = f"""
import _thread, shutil, tarfile, tempfile, threading, time

def watch():
    sys.stdin.buffer.read()
    _thread.interrupt_main()
    time.sleep(10)
    os._exit(1)

def receive(act):
    status, folder = 1, tempfile.mkdtemp(prefix="kdtasks-")
    try:
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
            archive.extraction_filter = lambda member, path: member
            archive.extractall(folder)
        threading.Thread(target=watch, daemon=True).start()
        act(folder)
        status = 0
    except ImportError as error:
        print(error, file=sys.stderr)
        status = {_MISSING}
    except BaseException as error:
        print(type(error).__name__ + ":", error, file=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(status)
"""

_INSTALL = """
import zipfile

def install(folder):
    new = place + "." + str(os.getpid())
    try:
        for wheel in os.listdir(folder):
            with zipfile.ZipFile(os.path.join(folder, wheel)) as archive:
                archive.extractall(new)
        sys.path.insert(0, new)
        import ai_edge_litert.interpreter, numpy
        if not os.path.isdir(place):
            os.replace(new, place)
    finally:
        shutil.rmtree(new, ignore_errors=True)

receive(install)
"""

_TIME = """
import pathlib

def measure(folder):
    sys.path[:0] = [folder, place]
    from kdtasks.edge.benchmark import run_job
    print(run_job(pathlib.Path(folder)), flush=True)

receive(measure)
"""


def benchmark_on(
    device: str | None,
    bundles: Sequence[Path],
    images: Images,
    timing: Timing,
    *,
    install: bool = True,
) -> BenchmarkRun:
    """Time bundles in turn on the same images, here or on a device.

    Args:
        device: `ssh://[user@]host[:port]`; None for this machine.
        bundles: folders, `.kdz` or `.tflite` files.
        images: N of uint8 [height, width, channels].
        timing: how.
        install: give a device that lacks numpy or LiteRT this machine's versions, once, in a
            folder of their own. It takes what was installed so, else its own.

    Raises:
        BundleError: a bundle cannot be run here.
        DeviceError: the device is not reached, lacks something, or fails.
    """
    if device is None:
        return time_bundles(bundles, images, timing)
    if install:
        _install(device)
    result = run_python(
        device, _PLACE + _RECEIVE + _TIME, _key(), data=_job(bundles, images, timing)
    )
    if result.status == _MISSING:
        raise DeviceError(
            f"{device} lacks a package ({result.last_line}); `kdtasks bench BUNDLE --on {device} "
            "--install` brings it"
        )
    _check(device, result)
    try:
        # whatever a shell's start writes comes before
        return BenchmarkRun.from_json(result.output.strip().rpartition("\n")[2])
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable(device, result, error) from None


def _install(device: str) -> None:
    result = run_python(device, _PLACE + _LOOK, _key())
    _check(device, result)
    try:
        found: dict[str, Any] = json.loads(result.output.strip().rpartition("\n")[2])
        needs_none, platform = found.pop("needs_none"), Platform(**found)
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable(device, result, error) from None
    if needs_none:
        return
    with tempfile.TemporaryDirectory() as folder:
        download(platform, Path(folder))
        wheels = _archive({path.name: path for path in sorted(Path(folder).iterdir())})
    _check(device, run_python(device, _PLACE + _RECEIVE + _INSTALL, _key(), data=wheels))


def _key() -> str:
    """Name of what is installed on devices."""
    return hashlib.sha256("\n".join(requirements()).encode()).hexdigest()[:12]


def _job(bundles: Sequence[Path], images: Images, timing: Timing) -> bytes:
    """Pack what `run_job` reads, with the modules that run it."""
    files: dict[str, Path | bytes] = {
        path.relative_to(PACKAGE.parent).as_posix(): path
        for folder in (PACKAGE / "core", PACKAGE / "edge")
        for path in sorted(folder.glob("*.py"))
    }
    for index, bundle in enumerate(bundles):
        ending = "" if bundle.is_dir() else bundle.suffix
        files[f"{BUNDLES}/{index}{ending}"] = bundle
    arrays = io.BytesIO()
    together = isinstance(images, np.ndarray)  # else of any sizes
    np.savez(arrays, *([images] if together else [image[np.newaxis] for image in images]))
    files[IMAGES] = arrays.getvalue()
    files[TIMING] = json.dumps(timing._asdict()).encode()
    return _archive({f"{PACKAGE.name}/__init__.py": PACKAGE / "__init__.py", **files})


def _archive(files: Mapping[str, Path | bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            if isinstance(content, Path):
                archive.add(content, name)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _check(device: str, result: RemoteResult) -> None:
    if result.status:
        raise DeviceError(f"{device}: {result.last_line or f'status {result.status}'}")


def _unreadable(device: str, result: RemoteResult, error: Exception) -> DeviceError:
    return DeviceError(f"{device} answered {result.output[-200:]!r}, JSON was expected ({error!r})")
