"""Open the folder of a bundle, and make sure that its parts belong together."""

import hashlib
from pathlib import Path

from kdtasks.edge.manifest import Manifest, read_manifest
from kdtasks.edge.segments import Segments
from kdtasks.errors import BundleError

# Task to the class of this package that serves it.
SERVED_BY = {"classification": "Model", "segmentation": "Segmenter"}


def open_bundle(folder: Path | str, threads: int = 1) -> tuple[Segments, Manifest]:
    """Open the model and the manifest of a bundle of any task.

    Args:
        folder: holds `model.tflite` and `manifest.json`.
        threads: threads of the LiteRT interpreter.

    Raises:
        BundleError: the bundle is incomplete or damaged.
    """
    manifest = read_manifest(Path(folder))
    path = Path(folder) / "model.tflite"
    if not path.is_file():
        raise BundleError(f"{path} is not there; fetch or export the bundle again")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.sha256:
        raise BundleError(
            f"{path} has the SHA-256 {found}, manifest.json says {manifest.sha256}; "
            "the file is damaged or not the bundle's own, fetch the bundle again"
        )
    return Segments(content, threads), manifest


def check_bundle(segments: Segments, manifest: Manifest, *, task: str) -> None:
    """Refuse a model that is not what its manifest says, or is for another task than `task`.

    Raises:
        BundleError: it is.
    """
    if manifest.task != task:
        advice = f"use {SERVED_BY[manifest.task]}" if manifest.task in SERVED_BY else "export again"
        raise BundleError(
            f"the bundle's task is {manifest.task}; {SERVED_BY[task]} serves {task}, {advice}"
        )
    sides = segments.input_shape[:2] if task == "segmentation" else ()
    found = (segments.count, segments.input_shape, segments.logits_shape)
    told = (manifest.segments, manifest.input_shape, (*sides, len(manifest.class_names)))
    if found != told:
        raise BundleError(
            f"the model has (segments, input shape, logits shape) {found}, its manifest says "
            f"{told}; export the bundle again"
        )
