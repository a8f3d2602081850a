"""Programs out of Debian's packages without installing them."""

import fcntl
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


class PackagesError(Exception):
    """The packages cannot be had here; the message says why."""


def unpack(wanted: Sequence[str], cache: Path) -> Path:
    """Download packages and what they need and this system lacks, and unpack all of it.

    Returns: the folder that stands for `/`; the next call finds it finished.

    Raises:
        PackagesError: this is no Debian, or its packages cannot be had.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others may be doing the same right now
        return _unpack(wanted, cache)


def _unpack(wanted: Sequence[str], cache: Path) -> Path:
    root = cache / "root"
    if (root / "unpacked").exists():
        return root
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise PackagesError("there is no apt-get here to download Debian's packages with")
    packages = cache / "packages"
    packages.mkdir(exist_ok=True)
    plan = subprocess.run(
        ["apt-get", "install", "--simulate", "--no-install-recommends", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    names = {*wanted, *re.findall(r"^Inst (\S+)", plan.stdout, flags=re.MULTILINE)}
    if plan.returncode:
        raise PackagesError(
            "apt-get does not know the packages; apt-get update may help: "
            + (plan.stderr.strip().splitlines() or ["no message"])[-1]
        )
    # of what these need, that which is installed already is used as it is
    done = subprocess.run(
        ["apt-get", "download", "-q", "-o", "Acquire::http::Timeout=20", *sorted(names)],
        cwd=packages,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackagesError("packages cannot be downloaded: " + done.stderr.strip()[-300:])
    for package in sorted(packages.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
    shutil.rmtree(packages)
    (root / "unpacked").touch()
    return root
