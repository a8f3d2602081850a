"""Programs out of Debian's packages without installing them, and without rights of root."""

import fcntl
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_PATIENCE = ("-q", "-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=20")
_SECONDS = 600.0  # after which a step of apt's is given up


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
        root = cache / "root"
        if not (root / "unpacked").exists():
            _unpack(wanted, cache, root)
        return root


def _unpack(wanted: Sequence[str], cache: Path, root: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise PackagesError("there is no apt-get here to download Debian's packages with")
    packages = cache / "packages"
    packages.mkdir(exist_ok=True)
    try:
        _download(wanted, packages, ())
    except PackagesError:
        # this system's lists of packages are missing, or name versions that are gone by now
        _download(wanted, packages, _fresh_lists(cache))
    for package in sorted(packages.glob("*.deb")):
        _run("packages cannot be unpacked", ["dpkg", "-x", str(package), str(root)])
        package.unlink()
    shutil.rmtree(packages)
    shutil.rmtree(cache / "lists", ignore_errors=True)
    (root / "unpacked").touch()


def _download(wanted: Sequence[str], packages: Path, options: Sequence[str]) -> None:
    """Download what is to be unpacked; of what it needs, all that is not installed here."""
    plan = _run(
        "Debian's lists do not have the packages",
        ["apt-get", *options, "install", "--simulate", "--no-install-recommends", *wanted],
    )
    names = {*wanted, *re.findall(r"^Inst (\S+)", plan, flags=re.MULTILINE)}
    _run(
        "packages cannot be downloaded",
        ["apt-get", *_PATIENCE, *options, "download", *sorted(names)],
        packages,
    )


def _fresh_lists(cache: Path) -> tuple[str, ...]:
    """Fetch Debian's lists into the cache; gives the options that let apt-get use them."""
    lists = cache / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    options = (
        *("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={lists}"),
        *("-o", "APT::Sandbox::User="),  # the folder is this user's
    )
    _run("Debian's lists cannot be fetched", ["apt-get", *_PATIENCE, *options, "update"])
    return options


def _run(problem: str, command: Sequence[str], folder: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise PackagesError(f"{problem}: {command[0]} took more than {_SECONDS:.0f} s") from None
    if done.returncode:
        raise PackagesError(f"{problem}: {done.stderr.strip()[-300:] or 'no message'}")
    return done.stdout
