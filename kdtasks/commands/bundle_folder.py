"""Tell a bundle from a folder of bundles, which is easily given in its place."""

import contextlib
from pathlib import Path

from kdtasks.edge.manifest import Manifest, read_manifest
from kdtasks.errors import BundleError


def open_bundle(folder: Path) -> Manifest:
    """Read the manifest of a bundle that a command line names: a folder or a file.

    Raises:
        BundleError: it is no bundle, or a folder that holds bundles; then they are listed.
    """
    try:
        return read_manifest(folder)
    except BundleError:
        inside = [] if (folder / "manifest.json").exists() else _bundles_in(folder)
        if not inside:
            raise
        raise BundleError(
            f"{folder} is no bundle but holds some; give one of them: {', '.join(inside)}"
        ) from None


def _bundles_in(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.glob("*/manifest.json")):
        with contextlib.suppress(BundleError):  # a variant that could not be built is no bundle
            read_manifest(path.parent)
            found.append(str(path.parent))
    return found
