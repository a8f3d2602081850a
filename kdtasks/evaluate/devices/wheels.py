"""Download the wheels that a device needs, for its platform and its Python."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import DeviceError, shortened

_OLDEST_GLIBC = 17  # of 2.17: no older wheels are made


class Platform(NamedTuple):
    """What decides which wheels run on a device.

    Attributes:
        python: its version, such as `3.11`.
        machine: its processor's architecture, as `uname -m` names it.
        glibc: its minor version, such as 36 of 2.36; None where there is none.
        bits: of an address.
    """

    python: str
    machine: str
    glibc: int | None
    bits: int

    def tags(self) -> list[str]:
        """The platforms of wheels that run there, the newest first."""
        newest = self.glibc or 0
        names = [f"manylinux_2_{minor}" for minor in range(newest, _OLDEST_GLIBC - 1, -1)]
        return [f"{name}_{self.machine}" for name in (*names, "manylinux2014", "linux")]


def requirements() -> list[str]:
    """What a bundle needs to run, in the versions of this machine."""
    return [f"{name}=={version(name)}" for name in ("numpy", "ai-edge-litert")]


def download(platform: Platform, folder: Path) -> None:
    """Download wheels of `requirements()`, and of what these need, into a folder.

    Raises:
        DeviceError: there are none for the device, or they cannot be downloaded.
    """
    if platform.glibc is None or platform.bits != 64:
        raise DeviceError(
            f"LiteRT has wheels for 64-bit Python on Linux with glibc; the device has "
            f"{platform.bits} bits, {platform.machine}, "
            f"{'no glibc' if platform.glibc is None else 'glibc'}"
        )
    tags = (word for tag in platform.tags() for word in ("--platform", tag))
    command = (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--only-binary=:all:", "--dest", str(folder), "--python-version", platform.python),
        *(*tags, *requirements()),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        reasons = [line for line in lines if re.match("error", line, re.IGNORECASE)] or lines
        raise DeviceError(
            f"no wheels of {' and '.join(requirements())} for Python {platform.python} on "
            f"{platform.machine} ({shortened(reasons[-1])}); install numpy and ai-edge-litert "
            "for the device's python3 by hand, and nothing is installed any more"
        )
