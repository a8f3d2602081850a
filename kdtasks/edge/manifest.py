"""What a bundle says of itself: read from `manifest.json` and checked."""

import dataclasses
import json
from typing import Any

from kdtasks.core.errors import BundleError

FORMAT_VERSION = 1

# Of kdtasks.edge.scores.SCORES; that module brings numpy, which a manifest can do without.
SCORE_NAMES = ("max_probability", "margin", "entropy", "energy")
NAME = "kdtasks_manifest"
IDENTIFIER = b"TFL3"

FIELDS = (
    "format_version",
    "name",
    "variant",
    "task",
    "class_names",
    "input",
    "segments",
    "score",
    "temperatures",
    "thresholds",
    "macs",
    "dataset_sha256",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """A bundle's manifest; K is the number of exits.

    Attributes:
        name: name of the model.
        variant: how it was compressed.
        task: `classification`, or `segmentation`: one segment, the logits of every pixel.
        class_names: name of each class, in the order of the logits.
        input: `shape` [height, width, channels], `dtype` `uint8` and `range` [0, 255].
        segments: K, one for each exit.
        score: what a threshold is compared with, a name of `kdtasks.edge.scores.SCORES`.
        temperatures: [K], each divides its exit's logits.
        thresholds: [K − 1]; leave at the first exit whose score is at least its threshold. 1e300
            is never reached, −1e300 always.
        calibration: `mode`, `expected` and `full` figures of the calibration split, `rows`, and
            what mode `guarantee` certified.
        macs: [K], multiply-accumulates up to and including each exit.
        bytes: size of `model.tflite`.
        sha256: hash of `model.tflite`, hex.
        dataset_sha256: hash of the description of the prepared dataset, hex.
        parameters: the params that the model was made with.
        libraries: version of each library that made it, null where it is not installed.
        metrics: of each split that the bundle was judged on (`validation`, and `test` where
            `kdtasks pack` found it): `rows`, `accuracy` with early exits, its `interval` at level
            `confidence`, and `cost`, the mean share of the MACs; null in bundles of before.
        self_test: `file`, its `sha256` and `images`; null where the bundle has none.
        provenance: what `kdtasks pack` knew of the origin: `git_revision`, `git_changed` (whether
            files differed from it), `dvc_lock_sha256`; null before.
        format_version: version of this format; keys that a reader does not know are left alone.
    """

    name: str
    variant: str
    task: str
    class_names: tuple[str, ...]
    input: dict[str, Any]
    segments: int
    score: str
    temperatures: tuple[float, ...]
    thresholds: tuple[float, ...]
    calibration: dict[str, Any]
    macs: tuple[int, ...]
    bytes: int
    sha256: str
    dataset_sha256: str
    parameters: dict[str, Any]
    libraries: dict[str, str | None]
    metrics: dict[str, Any] | None = None
    self_test: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None
    format_version: int = FORMAT_VERSION

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Height, width and channels of the images."""
        return tuple(self.input["shape"])

    def to_json(self) -> dict[str, Any]:
        """Give the content of `manifest.json`."""
        return dataclasses.asdict(self)


def parse_manifest(text: bytes, where: str) -> Manifest:
    """Read the content of a `manifest.json`; `where` is what to call it in an error.

    Raises:
        BundleError: as for `read_manifest`.
    """
    try:
        content = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise BundleError(f"{where} cannot be read ({error}); fetch the bundle again") from None
    if not isinstance(content, dict):
        raise BundleError(f"{where} holds {type(content).__name__}, a mapping was expected")
    if "refused" in content:
        raise BundleError(
            f"{where} stands for no model, its variant could not be built: {content['refused']}"
        )
    if content.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{where} has format_version {content.get('format_version')!r}, this version of "
            f"kdtasks reads {FORMAT_VERSION}; install the kdtasks that wrote it, or export again"
        )
    fields = dataclasses.fields(Manifest)
    missing = [
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.name not in content
    ]
    if missing:
        raise BundleError(f"{where} lacks {', '.join(missing)}; fetch or export the bundle again")
    values: dict[str, Any] = {
        field.name: tuple(value) if isinstance(value, list) else value
        for field in fields
        for value in [content.get(field.name, field.default)]
    }
    manifest = Manifest(**values)
    _check_fields(where, manifest)
    return manifest


def _check_fields(where: str, manifest: Manifest) -> None:
    if not {"shape", "dtype", "range"} <= set(manifest.input):
        raise BundleError(
            f"{where} describes the input as {manifest.input}; shape, dtype and range were "
            "expected, export the bundle again"
        )
    if manifest.score not in SCORE_NAMES:
        raise BundleError(
            f"{where} names the score {manifest.score!r}; this version of kdtasks knows "
            f"{', '.join(SCORE_NAMES)}: install the kdtasks that wrote it, or export again"
        )
    count = manifest.segments
    for name, length in (("temperatures", count), ("macs", count), ("thresholds", count - 1)):
        given = getattr(manifest, name)
        if not isinstance(given, tuple) or len(given) != length:
            raise BundleError(
                f"{where} names {count} segments and the {name} {given}; {length} were expected, "
                "export the bundle again"
            )
    if not all(temperature > 0 for temperature in manifest.temperatures):
        raise BundleError(
            f"{where} has the temperatures {manifest.temperatures}; each must be above 0, export "
            "the bundle again"
        )


"""Fields of the manifest that travel in the file: those that running it needs, and its origin."""


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
    try:
        model = schema.Model.GetRootAs(content)
        for index in range(model.MetadataLength()):
            entry = model.Metadata(index)
            if entry.Name() == NAME.encode():
                return bytes(model.Buffers(entry.Buffer()).DataAsNumpy())
    except Exception as error:  # struct.error and all else that reading cut bytes can raise
        raise BundleError(f"{where} is damaged ({error}); fetch or export it again") from None
    return None
