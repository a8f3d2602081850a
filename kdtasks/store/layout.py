"""Where everything lies in a store: the same keys in a bucket and in a folder.

blobs/sha256/<hex>                  contents of files, never changed
models/<name>/versions/<n>.json     what a version consists of, written once
models/<name>/aliases/<alias>.json  the version that an alias stands for, moved
telemetry/<name>/<device>/<n>.jsonl what a device has counted, a batch an object, never changed
probes/<hex>                        asked of a server how it takes what is written
"""

import re

BLOBS = "blobs/sha256/"
MODELS = "models/"
TELEMETRY = "telemetry/"
PROBES = "probes/"

_VERSION_KEY = re.compile(r"models/([^/]+)/versions/([1-9][0-9]{0,8})\.json")
_ALIAS_KEY = re.compile(r"models/([^/]+)/aliases/([^/]+)\.json")


def blob_key(sha256: str) -> str:
    """Key of the content with this hash."""
    return f"{BLOBS}{sha256}"


def versions_prefix(name: str) -> str:
    """What the keys of all versions of a model begin with."""
    return f"{MODELS}{name}/versions/"


def version_key(name: str, number: int) -> str:
    """Key of a version's manifest."""
    return f"{versions_prefix(name)}{number}.json"


def alias_key(name: str, alias: str) -> str:
    """Key of an alias."""
    return f"{MODELS}{name}/aliases/{alias}.json"


def telemetry_key(name: str, device: str, batch: str) -> str:
    """Key of a batch of telemetry."""
    return f"{TELEMETRY}{name}/{device}/{batch}"


def read_version_key(key: str) -> tuple[str, int] | None:
    """Model and number that a key stands for; null where it is no version's key."""
    match = _VERSION_KEY.fullmatch(key)
    return (match[1], int(match[2])) if match else None


def read_alias_key(key: str) -> tuple[str, str] | None:
    """Model and alias that a key stands for; null where it is no alias's key."""
    match = _ALIAS_KEY.fullmatch(key)
    return (match[1], match[2]) if match else None
