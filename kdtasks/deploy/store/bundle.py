"""Publish a bundle, once it is sure that a device can load it."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kdtasks.core.errors import BundleError
from kdtasks.deploy.store.objects import LocalFile, Objects
from kdtasks.deploy.store.progress import NO_PROGRESS, Progress
from kdtasks.deploy.store.publish import Published, publish_files
from kdtasks.deploy.store.signing import SigningKey
from kdtasks.edge.bundle_files import MODEL, open_bundle_files
from kdtasks.edge.manifest import Manifest


def publish_bundle(
    objects: Objects,
    folder: Path,
    manifest: Manifest,
    files: Mapping[str, LocalFile],
    *,
    name: str,
    signing_key: SigningKey | None,
    progress: Progress = NO_PROGRESS,
) -> Published:
    """Publish a bundle as the next version of a model.

    Args:
        manifest: of the bundle in `folder`, with what is known of its origin.
        files: its files, hashed.
        name: of the model.
        signing_key: signs the version's manifest.

    Raises:
        BundleError: the model is missing, or is another one than the manifest's.
        StoreError: as `publish`.
    """
    check_bundle(folder, manifest, files)
    return publish_files(
        objects,
        files,
        name=name,
        about={
            "variant": manifest.variant,
            "task": manifest.task,
            "dataset_sha256": manifest.dataset_sha256,
            **_revision(manifest.provenance or {}),
        },
        signing_key=signing_key,
        progress=progress,
    )


def _revision(provenance: Mapping[str, Any]) -> dict[str, str]:
    revision = provenance.get("git_revision")
    if not revision:
        return {}
    return {"git_revision": revision + (" with changes" if provenance.get("git_changed") else "")}


def check_bundle(folder: Path, manifest: Manifest, files: Mapping[str, LocalFile]) -> None:
    """Compare a bundle's model with its manifest.

    Args:
        manifest: of the bundle in `folder`.
        files: its files, hashed.

    Raises:
        BundleError: the model is missing, or is another one.
    """
    path = folder / MODEL
    if path.name not in files:
        raise BundleError(f"{path} is not there; export the bundle again")
    found = files[path.name].sha256
    if found != manifest.sha256:
        raise BundleError(
            f"{path} has the SHA-256 {found}, manifest.json says {manifest.sha256}; export the "
            "bundle again"
        )


@contextlib.contextmanager
def as_folder(bundle: Path) -> Iterator[Path]:
    """Yield a bundle's folder: its own, or for the while one with the files of a `.kdz`.

    A bare `.tflite` gets the manifest that it has inside as a file.

    Raises:
        BundleError: it is neither, or damaged.
    """
    if not bundle.is_file():
        yield bundle  # whoever reads it says what is missing
        return
    with tempfile.TemporaryDirectory(prefix="kdtasks-bundle-") as folder:
        with open_bundle_files(bundle) as contents:
            for name in contents.names:
                (Path(folder) / name).write_bytes(contents.read(name))
        yield Path(folder)
