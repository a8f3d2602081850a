"""Put a model, its manifest and its class names into one folder: what a device needs."""

import dataclasses
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from kdtasks.compress.bundle.sbom import sbom_text
from kdtasks.compress.tflite.metadata import embed_manifest
from kdtasks.core.errors import ExportError
from kdtasks.core.files import atomic_folder, json_text
from kdtasks.core.records.calibration import Calibration, ValidationPoint
from kdtasks.core.records.compress import Parity
from kdtasks.core.records.evaluate import Evaluation
from kdtasks.core.settings import Section
from kdtasks.data.prepared import DESCRIPTION, PreparedDataset
from kdtasks.edge.bundle_files import MANIFEST, MODEL, SBOM, SELF_TEST
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.registry import load_predictor
from kdtasks.edge.scores import SCORES, apply_policy
from kdtasks.edge.segments import Segments
from kdtasks.edge.self_test import SelfTest
from kdtasks.evaluate.intervals import wilson_interval
from kdtasks.tasks.registry import task_of

CALIBRATION_KEYS = {"mode", "expected", "full", "rows", "guarantee", "labels_from"}
CONFIDENCE = 0.95
SCORES_TOLD = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "mean_iou",
    "metric",
    "cost",
    "labels_from",
)
LIBRARIES = ("tensorflow", "tf-keras", "ai-edge-litert", "kdtasks")

# Images that are looked at to find some for every exit, and the size of those that are kept, at
# least one: a self-test travels with every bundle.
SEARCHED = 256
MOST_BYTES = 256 * 1024

# Other processors round differently: a step of quantised logits here and there, and float sums in
# another order. Anything broken is off by far more than this fraction of the logits' range.
_STEPS = 4
_FRACTION = 0.01


class ExportParams(Section):
    """What is written into every bundle besides the model."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)] = Field(
        default="student",
        description="name of the model: up to 64 of lower case, digits, `.`, `_`, `-`",
    )
    self_test: Annotated[int, Field(ge=0, le=100)] = Field(
        default=6,
        description="calibration images that travel in the bundle, for devices to check "
        "themselves with; 0: noise, where no image may leave the premises",
    )


def make_manifest(
    dataset: PreparedDataset,
    calibration: Calibration,
    *,
    name: str,
    variant: str,
    parity: Parity,
    parameters: Mapping[str, Any],
) -> Manifest:
    """Describe a model for its bundle; `write_bundle` adds what only the files tell.

    Args:
        dataset: what the model was trained on; the hash of its description stands for it.
        calibration: of its exits.
        name: of the model.
        variant: how it was compressed.
        parity: how far it is from the float network that it was converted from.
        parameters: params that the model depends on, as JSON.

    Raises:
        ExportError: a class name has a line break, which `labels.txt` cannot hold.
    """
    broken = [label for label in dataset.class_names if label.splitlines() != [label]]
    if broken:
        raise ExportError(
            f"the class name {broken[0]!r} is not one line of text; rename the class, "
            "labels.txt holds one a line"
        )
    counts = dataset.counts["validation"]
    scores = split_scores(
        calibration.validation, counts.total, dataset.task, groups=counts.independent
    )
    deep = {} if dataset.deep_range is None else {"deep_range": list(dataset.deep_range)}
    by_exit = calibration.model_dump(include={"score", "temperatures", "thresholds", "macs"})
    if labels_from := dataset.labels_from("validation"):
        scores["labels_from"] = labels_from
    return Manifest(
        **by_exit,
        name=name,
        variant=variant,
        task=dataset.task,
        class_names=dataset.class_names,
        input={"shape": list(dataset.image_shape), "dtype": "uint8", "range": [0, 255], **deep},
        segments=len(calibration.temperatures),
        calibration=calibration.model_dump(
            mode="json", include=CALIBRATION_KEYS, exclude_defaults=True
        ),
        bytes=0,
        sha256="",
        dataset_sha256=_sha256((dataset.folder / DESCRIPTION).read_bytes()),
        parameters=dict(parameters),
        parity=parity.model_dump(mode="json", exclude_defaults=True),
        libraries=_versions(),
        metrics={"validation": scores},
    )


def write_bundle(
    folder: Path, model: bytes, manifest: Manifest, self_test: SelfTest | None = None
) -> Manifest:
    """Write a bundle, all of it or nothing.

    It consists of `model.tflite` with a short form of the manifest inside, `manifest.json`,
    `labels.txt`, `sbom.cdx.json` and, if there is one, `self_test.npz`.

    Args:
        folder: replaced whole.
        model: content of the converted file.
        manifest: from `make_manifest`.
        self_test: what `model` answers to a few images.

    Returns: the manifest that was written, with sizes and hashes.

    Raises:
        BundleError: the model and its manifest do not fit; nothing is written.
    """
    content = embed_manifest(model, manifest)
    written = dataclasses.replace(manifest, bytes=len(content), sha256=_sha256(content))
    labels = "".join(f"{label}\n" for label in manifest.class_names)
    files = {MODEL: content, "labels.txt": labels.encode(), SBOM: sbom_text().encode()}
    if self_test:
        files[SELF_TEST] = stored = self_test.to_bytes()
        about = {"file": SELF_TEST, "sha256": _sha256(stored), "images": len(self_test.images)}
        written = dataclasses.replace(written, self_test=about)
    files[MANIFEST] = json_text(written.to_json()).encode()
    with atomic_folder(folder) as partial:
        for name, part in files.items():
            (partial / name).write_bytes(part)
        # Load it as a device would: a bundle that cannot be used must not be there at all.
        loaded = load_predictor(partial)
        if self_test:
            loaded.self_test()
    return written


def split_scores(
    scores: ValidationPoint | Evaluation, rows: int, task: str, *, groups: int
) -> dict[str, Any]:
    """Give what a manifest says of one split.

    The export itself knows the validation split only: the test split is read later, by `evaluate`,
    from the very bundle that the manifest describes.

    Args:
        scores: with early exits.
        rows: of the split.
        task: of the bundle; classifiers get Wilson's interval.
        groups: how many of the rows count, those of one group once.
    """
    present = scores.present()
    found = {"rows": rows, **{key: present[key] for key in SCORES_TOLD if key in present}}
    if not task_of(task).per_pixel:  # pixels of one image are no independent rows
        interval = wilson_interval(round(scores.accuracy * groups), groups, CONFIDENCE)
        found |= {"interval": list(interval), "confidence": CONFIDENCE}
    return found


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _versions() -> dict[str, str | None]:
    """Version of each of the libraries that make a model, null where it is not installed."""
    found: dict[str, str | None] = dict.fromkeys(LIBRARIES)
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[library] = version(library)
    return found


def make_self_test(
    segments: Segments, images: npt.NDArray[np.uint8], manifest: Manifest, *, count: int
) -> SelfTest:
    """Run some images through an exported file.

    Every exit's images come in turn, so that a few show all exits.

    Args:
        segments: the exported file.
        images: uint8 [N, height, width, channels], of the calibration split.
        manifest: of the bundle.
        count: how many to keep; 0 for noise in place of images, which must not leave the
            premises.
    """
    shape = segments.input_shape
    most = max(1, MOST_BYTES // int(np.prod(shape)))
    kept = min(count, most, len(images))
    if count == 0:
        images = np.random.default_rng(0).integers(0, 256, (min(4, most), *shape), np.uint8)
    elif segments.count == 1:
        images = np.array(images[:kept])
    else:
        images = np.array(images[:SEARCHED])
        temperatures = np.asarray(manifest.temperatures)
        scores = SCORES[manifest.score](segments.logits_of(images), temperatures)
        images = images[interleave_exits(apply_policy(scores, manifest.thresholds))[:kept]]
    logits = segments.logits_of(images)
    by_exit = np.moveaxis(logits, 1, 0).reshape(segments.count, -1)
    scales = np.array([spec.scale for spec in segments.logits_specs], np.float32)
    tolerance = np.maximum(_STEPS * scales, np.float32(_FRACTION) * np.ptp(by_exit, axis=1))
    return SelfTest(images, logits, tolerance.astype(np.float32))


def interleave_exits(exit_index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Order rows so that exits alternate: the first of every exit, the second of every, and on.

    Args:
        exit_index: [N].

    Returns: [N], row numbers.
    """
    position = np.empty(len(exit_index), np.int64)
    for exit_number in np.unique(exit_index):
        rows = np.flatnonzero(exit_index == exit_number)
        position[rows] = np.arange(len(rows))
    return np.lexsort((exit_index, position))
