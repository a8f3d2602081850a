"""Put a bundle into one file, and say in its manifest where it comes from."""

import dataclasses
import zipfile
from collections.abc import Mapping
from pathlib import Path

from kdtasks.core.errors import BundleError
from kdtasks.core.files import atomic_file, json_text
from kdtasks.edge.bundle_files import MANIFEST, MODEL, SUFFIX, open_bundle, open_bundle_files
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import Segments
from kdtasks.edge.self_test import load_self_test
from kdtasks.orchestrate.project.origin import Origin, find_origin, shipped_texts

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a zip can write
_UNIX = 3
_MODE = 0o100644


def pack(bundle: Path, out: Path | None = None) -> tuple[Path, Manifest]:
    """Write a bundle as a `.kdz`; the same bundle of the same commit gives the same bytes.

    One without a bill of materials and without a record of libraries does so in one environment.

    A bundle in the folder of the project that made it gets its provenance, the scores of the test
    split and the model card; any bundle that lacks a bill of materials gets one.

    Args:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        out: the file; None for `<name>-<variant>.kdz` in the current folder.

    Returns: the file, and the manifest in it.

    Raises:
        BundleError: the bundle cannot be used, or `out` is not the name of a `.kdz` file.
    """
    open_bundle(bundle)
    with open_bundle_files(bundle) as contents:
        files = {name: contents.read(name) for name in contents.names}
        manifest = contents.manifest()
        # as a device would, whatever the task
        segments = Segments(contents.checked(MODEL, manifest.sha256))
        load_self_test(contents, manifest, segments)
    origin = find_origin(bundle) if bundle.is_dir() else None
    if origin:
        manifest = with_origin(manifest, origin)
        files[MANIFEST] = json_text(manifest.to_json()).encode()
    for name, text in shipped_texts(files, manifest, origin).items():
        files[name] = text.encode()
    path = out or Path(f"{manifest.name}-{manifest.variant}{SUFFIX}")
    if path.suffix != SUFFIX:
        raise BundleError(f"the file is to be called {path}; give it the ending {SUFFIX}")
    if path.exists() and bundle.exists() and path.samefile(bundle):
        raise BundleError(f"{path} is that bundle itself; give --out another name")
    write_archive(path, files)
    return path, manifest


def with_origin(manifest: Manifest, origin: Origin) -> Manifest:
    """Add what a project knows of its bundle."""
    metrics = dict(manifest.metrics or {})
    if origin.test:
        # scipy, which whoever has evaluated a bundle has
        from kdtasks.compress.bundle.write import split_scores

        rows, groups = origin.test.rows, origin.test.groups
        metrics["test"] = split_scores(
            origin.test, rows, manifest.task, groups=rows if groups is None else groups
        )
    return dataclasses.replace(manifest, metrics=metrics, provenance=origin.provenance)


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
