"""What a device is told, and what it takes where it is told nothing."""

import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdtasks.deploy.serve.service import MAX_PIXELS
from kdtasks.deploy.store.address import Reference
from kdtasks.deploy.store.signing import PublicKey


@dataclass(frozen=True, kw_only=True)
class DeviceSettings:
    """What a device is told.

    Attributes:
        reference: model and alias to follow.
        state, cache: folders; no two devices may share `state`.
        device: its name in telemetry.
        trusted: whose signatures count; if empty, unsigned versions are accepted.
        host, port: to listen on; 0 is any port that is free.
        threads: images that are processed at once.
        max_bytes: that a body may have.
        max_pixels: that an image may have.
        interval, telemetry_interval: seconds between polls, and between batches.
    """

    reference: Reference
    state: Path
    cache: Path
    device: str
    trusted: Sequence[PublicKey] = ()
    host: str = "127.0.0.1"
    port: int = 8080
    threads: int = 2
    max_bytes: int = 10_000_000
    max_pixels: int = MAX_PIXELS
    interval: float = 60.0
    telemetry_interval: float = 60.0


def default_state(name: str) -> Path:
    """Folder of a model's agent where this system keeps the state of programs."""
    if folder := os.environ.get("KDTASKS_STATE"):
        return Path(folder).expanduser().resolve() / name
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "kdtasks" / "agents" / name


def own_name() -> str:
    """This machine's name, as a device may be called."""
    name = re.sub(r"[^a-z0-9._-]+", "-", socket.gethostname().lower()).lstrip("._-")
    return name[:100] or "device"
