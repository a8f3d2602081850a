"""Publish a bundle, once it is sure that a device can load it."""

import re
from collections.abc import Mapping
from pathlib import Path

from kdtasks.edge.manifest import Manifest
from kdtasks.errors import BundleError
from kdtasks.store.keys import SigningKey
from kdtasks.store.objects import Objects
from kdtasks.store.publish import Published, publish_files
from kdtasks.store.source import Claim, Source
from kdtasks.store.transfers import Transfers

_MODEL = "model.tflite"
_HASH = re.compile(r"[0-9a-f]{64}")


def model_claim(manifest: Manifest) -> Claim | None:
    """What a bundle's manifest says of its model's content; null if that is no SHA-256."""
    is_hash = isinstance(manifest.sha256, str) and _HASH.fullmatch(manifest.sha256)
    return Claim(_MODEL, manifest.sha256, "manifest.json") if is_hash else None


def publish_bundle(
    objects: Objects,
    folder: Path,
    manifest: Manifest,
    sources: Mapping[str, Source],
    *,
    name: str,
    signing_key: SigningKey | None,
    transfers: Transfers | None = None,
) -> Published:
    """Publish a bundle as the next version of a model.

    Arguments:
        manifest: of the bundle in `folder`.
        sources: its files, hashed, but for what `model_claim` claims.
        name: of the model.
        signing_key: signs the version's manifest.

    Raises:
        BundleError: the model is missing, or is another one than the manifest's.
        StoreError: as `publish`.
    """
    check_bundle(folder, manifest, sources)
    return publish_files(
        objects,
        sources,
        name=name,
        about={"variant": manifest.variant, "task": manifest.task},
        signing_key=signing_key,
        transfers=transfers,
    )


def check_bundle(folder: Path, manifest: Manifest, sources: Mapping[str, Source]) -> None:
    """Compare a bundle's model with its manifest.

    Arguments:
        manifest: of the bundle in `folder`.
        sources: its files, hashed.

    Raises:
        BundleError: the model is missing, or is another one.
    """
    path = folder / _MODEL
    if path.name not in sources:
        raise BundleError(f"{path} is not there; export the bundle again")
    found = sources[path.name].sha256
    if found != manifest.sha256:
        raise BundleError(
            f"{path} has the SHA-256 {found}, manifest.json says {manifest.sha256}; export the "
            "bundle again"
        )
