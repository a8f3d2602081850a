"""What a bundle says of itself: read from `manifest.json` and checked."""

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any, TypeVar

from kdtasks.core import JsonObject
from kdtasks.core.errors import BundleError, explained, shortened
from kdtasks.edge.manifest_form import FIELDS, FORMAT_VERSION, problems

# Of one image that a model takes; more than any that is trained here.
MOST_PIXELS = 2**28
NAME = "kdtasks_manifest"
IDENTIFIER = b"TFL3"
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddedManifest:
    """What travels inside `model.tflite`: all that running it needs, and its origin.

    K is the number of exits.

    Attributes:
        name: name of the model.
        variant: how it was compressed.
        task: `classification`, or `segmentation`: one segment, the logits of every pixel.
        class_names: name of each class, in the order of the logits.
        input: `shape` [height, width, channels], `dtype` `uint8` and `range` [0, 255]; where
            training images had 16 bits a channel also `deep_range`, the values of these that
            became 0 and 255.
        segments: K, one for each exit.
        score: what a threshold is compared with, a name of `kdtasks.edge.scores.SCORES`.
        temperatures: [K], each divides its exit's logits.
        thresholds: [K − 1]; leave at the first exit whose score is at least its threshold. 1e300
            is never reached, −1e300 always.
        macs: [K], multiply-accumulates up to and including each exit.
        dataset_sha256: hash of the description of the prepared dataset, hex.
        format_version: version of this format; keys that a reader does not know are left alone.
    """

    name: str
    variant: str
    task: str
    class_names: tuple[str, ...]
    input: JsonObject
    segments: int
    score: str
    temperatures: tuple[float, ...]
    thresholds: tuple[float, ...]
    macs: tuple[int, ...]
    dataset_sha256: str
    format_version: int = FORMAT_VERSION

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Height, width and channels of the images."""
        return tuple(self.input["shape"])

    def embedded(self) -> bytes:
        """Give the JSON object that is put inside `model.tflite`."""
        names = (field.name for field in dataclasses.fields(EmbeddedManifest))
        content = {name: getattr(self, name) for name in names}
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return text.encode()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest(EmbeddedManifest):
    """A bundle's manifest; K is the number of exits.

    Attributes:
        calibration: `mode`, `expected` and `full` figures of the calibration split, `rows`,
            what mode `guarantee` certified, and `labels_from` as in `metrics`.
        bytes: size of `model.tflite`.
        sha256: hash of `model.tflite`, hex.
        parameters: the params that the model was made with.
        libraries: version of each library that made it, null where it is not installed.
        metrics: of each split that the bundle was judged on (`validation`, and `test` where
            `kdtasks pack` found it): `rows`, `accuracy` with early exits, its `interval` at level
            `confidence`, of classes also `balanced_accuracy` and `macro_f1`, of masks `mean_iou`;
            `metric`, of `test`, names the one that models were compared by where that is not the
            task's first; `cost`, the mean fraction of the MACs; `labels_from` is `teacher`
            where its answers stood in the place of labels, so that `accuracy` is agreement with
            it, and how often either is right is unknown; null in bundles of before.
        parity: how far it is from the float network that it was converted from, on `rows`
            calibration images: for each of `exits` the `error` of its logits, as a fraction of
            their standard deviation, and the fraction of `changed` answers with its 95 %
            `interval`; `tolerance` is the error that the number format allows, `set_ranges` is
            true where the same images set the ranges of its numbers; null in bundles of before.
        self_test: `file`, its `sha256` and `images`; null where the bundle has none.
        provenance: what `kdtasks pack` knew of the origin: `git_revision`, `git_changed` (whether
            files differed from it), `dvc_lock_sha256`; null before.
    """

    calibration: JsonObject
    bytes: int
    sha256: str
    parameters: JsonObject
    libraries: dict[str, str | None]
    metrics: JsonObject | None = None
    parity: JsonObject | None = None
    self_test: JsonObject | None = None
    provenance: JsonObject | None = None

    def to_json(self) -> JsonObject:
        """Give the content of `manifest.json`."""
        return dataclasses.asdict(self)


def parse_manifest(text: bytes, where: str) -> Manifest:
    """Read the content of a `manifest.json` and check all of it; the rest may trust what it says.

    Args:
        text: of the file.
        where: what to call it in an error.

    Raises:
        BundleError: as for `read_manifest`.
    """
    problem, causes = f"{where} cannot be read", (ValueError, RecursionError)
    with explained(BundleError, problem, "fetch the bundle again", *causes):
        content = json.loads(text.decode("utf-8"))
        json.dumps(content, ensure_ascii=False).encode("utf-8")  # no half of a character
        for found in _problems(content):
            raise BundleError(f"{where} {found}")
    return from_json(Manifest, content)


def _problems(content: Any) -> Iterator[str]:
    """What makes the content of a manifest unusable; callers read only the first."""
    if not isinstance(content, dict):
        yield f"holds {type(content).__name__}, a mapping was expected"
    if "refused" in content:
        reason = shortened(str(content["refused"]))
        yield f"stands for no model, its variant could not be built: {reason}"
    if content.get("format_version") != FORMAT_VERSION:
        yield (
            f"has format_version {str(content.get('format_version'))[:20]}, this version of "
            f"kdtasks reads {FORMAT_VERSION}; install the kdtasks that wrote it, or export again"
        )
    if missing := missing_fields(Manifest, content):
        yield f"lacks {', '.join(missing)}; fetch or export the bundle again"
    for name, form in FIELDS.items():
        if name in content:
            for problem in problems(content[name], form, name):
                yield f"{problem}; fetch or export the bundle again"
    count = content["segments"]
    for name, length in (("temperatures", count), ("macs", count), ("thresholds", count - 1)):
        if len(content[name]) != length:
            yield (
                f"names {count} segments and {len(content[name])} {name}; {length} were expected, "
                "export the bundle again"
            )
    low, high = content["input"].get("deep_range", (0, 1))
    if not low < high:
        yield f"has the deep_range [{low}, {high}]; [lowest, highest] was expected, export it again"
    if math.prod(content["input"]["shape"]) > MOST_PIXELS:
        yield (
            f"has the input.shape {content['input']['shape']}; {MOST_PIXELS:,} numbers an image "
            "are the most, export it again"
        )


def missing_fields(kind: Any, content: JsonObject) -> list[str]:
    """Names of the fields without a default of a dataclass that a JSON object lacks."""
    return [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.name not in content
    ]


def from_json(kind: type[T], content: JsonObject) -> T:
    """Make a dataclass of a JSON object: lists become tuples, other keys are left alone."""
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values = {name: content[name] for name in names if name in content}
    return kind(
        **{name: tuple(item) if isinstance(item, list) else item for name, item in values.items()}
    )


def read_metadata(content: bytes, where: str) -> bytes | None:
    """Find the metadata of kdtasks in a `.tflite`; null where it has none.

    Args:
        content: of the file.
        where: what to call it in an error.

    Raises:
        BundleError: it is no `.tflite`.
    """
    # LiteRT's own; 10 ms, which a bundle with a manifest.json need not spend.
    from ai_edge_litert import schema_py_generated as schema

    if content[4:8] != IDENTIFIER:
        raise BundleError(f"{where} is no .tflite (it lacks the identifier TFL3); export it again")
    # struct.error and all else that reading cut bytes can raise
    with explained(BundleError, f"{where} is damaged", "fetch or export it again", Exception):
        model = schema.Model.GetRootAs(content)
        for index in range(model.MetadataLength()):
            entry = model.Metadata(index)
            if entry.Name() == NAME.encode():
                return bytes(model.Buffers(entry.Buffer()).DataAsNumpy())
    return None
