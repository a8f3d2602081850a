"""Put a bundle into one file, and say in its manifest where it comes from."""

import dataclasses
from fnmatch import fnmatch
from pathlib import Path

from kdtasks.compress.bundle.pack import exits_header, write_archive
from kdtasks.compress.tflite.arena import split_signatures
from kdtasks.compress.tflite.graph import read_graphs
from kdtasks.core.errors import BundleError
from kdtasks.core.files import atomic_folder, json_text
from kdtasks.edge.bundle_files import CARD, MANIFEST, MODEL, SUFFIX, open_bundle, open_bundle_files
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import Segments
from kdtasks.edge.self_test import load_self_test
from kdtasks.orchestrate.project.origin import Origin, find_origin


def pack(bundle: Path, out: Path | None = None) -> tuple[Path, Manifest]:
    """Write a bundle as a `.kdz`; the same bundle of the same commit gives the same bytes.

    A bundle in the folder of the project that made it gets its provenance, the scores of the test
    split and the model card; of any other nothing is changed.

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
        if origin.card:
            files[CARD] = origin.card.encode()
    path = out or Path(f"{manifest.name}-{manifest.variant}{SUFFIX}")
    if path.suffix != SUFFIX:
        raise BundleError(f"the file is to be called {path}; give it the ending {SUFFIX}")
    if path.exists() and bundle.exists() and path.samefile(bundle):
        raise BundleError(f"{path} is that bundle itself; give --out another name")
    write_archive(path, files)
    return path, manifest


def pack_segments(bundle: Path, out: Path | None = None) -> list[Path]:
    """Write each segment as a `.tflite` of its own, and what C needs to know beside them.

    Args:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        out: a folder that is replaced whole; None for `<name>-<variant>-segments` in the current
            folder.

    Returns: `segment_0.tflite` … and `exits.h`.

    Raises:
        BundleError: the bundle cannot be used, or `out` holds something else.
    """
    open_bundle(bundle)
    with open_bundle_files(bundle) as contents:
        manifest = contents.manifest()
        content = contents.checked(MODEL, manifest.sha256)
    files = {f"{name}.tflite": part for name, part in split_signatures(content).items()}
    files["exits.h"] = exits_header(manifest, read_graphs(content)).encode()
    folder = out or Path(f"{manifest.name}-{manifest.variant}-segments")
    others = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others -= {name for name in others if fnmatch(name, "segment_*.tflite")} | {"exits.h"}
    if others or folder.is_file():
        raise BundleError(
            f"{folder} holds {', '.join(sorted(others)) or 'a file'}, which is not to be "
            "replaced; give --out a new folder"
        )
    with atomic_folder(folder) as partial:
        for name, part in files.items():
            (partial / name).write_bytes(part)
    return [folder / name for name in sorted(files)]


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
