"""Make sure that what is published is a bundle that a device can load."""

import hashlib
from pathlib import Path

from kdtasks.edge.manifest import Manifest, read_manifest
from kdtasks.errors import BundleError


def check_bundle(folder: Path) -> Manifest:
    """Read a bundle's manifest and compare its model with it.

    Raises:
        BundleError: it is incomplete or damaged, or its variant could not be built.
    """
    manifest = read_manifest(folder)
    path = folder / "model.tflite"
    if not path.is_file():
        raise BundleError(f"{path} is not there; export the bundle again")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != manifest.sha256:
        raise BundleError(
            f"{path} has the SHA-256 {found}, manifest.json says {manifest.sha256}; export the "
            "bundle again"
        )
    return manifest
