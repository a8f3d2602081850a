"""The one file of a bundle, a zip whose bytes follow from what is in it."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from kdtasks.core.files import atomic_file

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a zip can write
_UNIX = 3
_MODE = 0o100644


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """Write files side by side into a zip: stored, sorted by name, without dates or owners.

    Args:
        path: replaced whole.
        files: name to content.
    """
    with atomic_file(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = _UNIX, _MODE << 16
            archive.writestr(entry, files[name], zipfile.ZIP_STORED)
