"""Publish a bundle, once it is sure that a device can load it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdtasks.edge.contents import MODEL
from kdtasks.edge.manifest import Manifest
from kdtasks.errors import BundleError
from kdtasks.store.keys import SigningKey
from kdtasks.store.objects import Objects
from kdtasks.store.publish import Published, publish_files
from kdtasks.store.source import Source
from kdtasks.store.transfers import Transfers


def publish_bundle(
    objects: Objects,
    folder: Path,
    manifest: Manifest,
    sources: Mapping[str, Source],
    *,
    name: str,
    provenance: Mapping[str, Any] | None = None,
    signing_key: SigningKey | None,
    transfers: Transfers | None = None,
) -> Published:
    """Publish a bundle as the next version of a model.

    Arguments:
        manifest: of the bundle in `folder`.
        sources: its files, hashed, but for what `model_claim` claims.
        name: of the model.
        provenance: what is known of its origin, as in `Manifest`.
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
        about={
            "variant": manifest.variant,
            "task": manifest.task,
            "dataset_sha256": manifest.dataset_sha256,
            **_revision(provenance or {}),
        },
        signing_key=signing_key,
        transfers=transfers,
    )


def _revision(provenance: Mapping[str, Any]) -> dict[str, str]:
    revision = provenance.get("git_revision")
    if not revision:
        return {}
    return {"git_revision": revision + (" with changes" if provenance.get("git_changed") else "")}


def check_bundle(folder: Path, manifest: Manifest, sources: Mapping[str, Source]) -> None:
    """Compare a bundle's model with its manifest.

    Arguments:
        manifest: of the bundle in `folder`.
        sources: its files, hashed.

    Raises:
        BundleError: the model is missing, or is another one.
    """
    path = folder / MODEL
    if path.name not in sources:
        raise BundleError(f"{path} is not there; export the bundle again")
    found = sources[path.name].sha256
    if found != manifest.sha256:
        raise BundleError(
            f"{path} has the SHA-256 {found}, manifest.json says {manifest.sha256}; export the "
            "bundle again"
        )
