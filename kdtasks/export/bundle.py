"""Put a model, its manifest and its class names into one folder: what a device needs."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kdtasks.atomic import atomic_folder, write_json
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.model import Model
from kdtasks.edge.segmentation import Segmenter
from kdtasks.errors import ExportError

CALIBRATION_KEYS = ("mode", "expected", "full", "rows", "guarantee")
LIBRARIES = ("tensorflow", "tf-keras", "ai-edge-litert", "kdtasks")


def make_manifest(
    tflite_path: Path,
    *,
    name: str,
    variant: str,
    task: str,
    class_names: Sequence[str],
    input_shape: Sequence[int],
    calibration: Mapping[str, Any],
    dataset_file: Path,
    parameters: Mapping[str, Any],
) -> Manifest:
    """Describe a model for its bundle.

    Args:
        tflite_path: the model.
        name: of the model.
        variant: how it was compressed.
        task: `classification` or `segmentation`.
        class_names: in the order of the logits.
        input_shape: height, width and channels of the pictures.
        calibration: content of `exits/<variant>/calibration.json`.
        dataset_file: `data/prepared/dataset.json`; its hash stands for the dataset.
        parameters: params that the model depends on, as JSON.

    Raises:
        ExportError: a class name has a line break, which `labels.txt` cannot hold.
    """
    broken = [label for label in class_names if label.splitlines() != [label]]
    if broken:
        raise ExportError(
            f"the class name {broken[0]!r} is not one line of text; rename the class, "
            "labels.txt holds one a line"
        )
    content = tflite_path.read_bytes()
    return Manifest(
        name=name,
        variant=variant,
        task=task,
        class_names=tuple(class_names),
        input={"shape": list(input_shape), "dtype": "uint8", "range": [0, 255]},
        segments=len(calibration["temperatures"]),
        score=calibration["score"],
        temperatures=tuple(calibration["temperatures"]),
        thresholds=tuple(calibration["thresholds"]),
        calibration={key: calibration[key] for key in CALIBRATION_KEYS if key in calibration},
        macs=tuple(calibration["macs"]),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        dataset_sha256=hashlib.sha256(dataset_file.read_bytes()).hexdigest(),
        parameters=dict(parameters),
        libraries={library: _version(library) for library in LIBRARIES},
    )


def write_bundle(folder: Path, tflite_path: Path, manifest: Manifest) -> None:
    """Write a bundle: `model.tflite`, `manifest.json` and `labels.txt`, all of it or nothing.

    Args:
        folder: replaced whole.
        tflite_path: the model that `manifest` describes.
        manifest: from `make_manifest`.

    Raises:
        BundleError: the model and its manifest do not fit; nothing is written.
    """
    with atomic_folder(folder) as partial:
        shutil.copyfile(tflite_path, partial / "model.tflite")
        write_json(partial / "manifest.json", manifest.to_json())
        labels = "".join(f"{label}\n" for label in manifest.class_names)
        (partial / "labels.txt").write_text(labels, encoding="utf-8")
        # Load it as a device would: a bundle that cannot be used must not be there at all.
        if manifest.task == "segmentation":
            Segmenter(partial)
        else:
            Model.load(partial)


def write_refused_bundle(folder: Path, refused: Mapping[str, str]) -> None:
    """Write a folder that only tells why the variant has no model."""
    with atomic_folder(folder) as partial:
        write_json(partial / "manifest.json", dict(refused))


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
