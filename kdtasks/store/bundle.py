"""Make sure that what is published is a bundle that a device can load."""

from collections.abc import Mapping
from pathlib import Path

from kdtasks.edge.manifest import Manifest
from kdtasks.errors import BundleError
from kdtasks.store.objects import Source


def check_bundle(folder: Path, manifest: Manifest, sources: Mapping[str, Source]) -> None:
    """Compare a bundle's model with its manifest.

    Arguments:
        manifest: of the bundle in `folder`.
        sources: its files, hashed.

    Raises:
        BundleError: the model is missing, or is another one.
    """
    path = folder / "model.tflite"
    if path.name not in sources:
        raise BundleError(f"{path} is not there; export the bundle again")
    found = sources[path.name].sha256
    if found != manifest.sha256:
        raise BundleError(
            f"{path} has the SHA-256 {found}, manifest.json says {manifest.sha256}; export the "
            "bundle again"
        )
