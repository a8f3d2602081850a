"""Put a manifest's short form into a `.tflite`, whose own bytes stay as they were converted."""

import gzip
import struct
from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from kdtasks.core.errors import ExportError
from kdtasks.core.records.compress import Exported
from kdtasks.edge.manifest import IDENTIFIER, NAME, EmbeddedManifest, read_metadata
from kdtasks.edge.segments import Segments
from kdtasks.tasks.registry import TASKS

# Fields of the root table `Model`, in the order of tensorflow/lite/schema/schema.fbs.
_SLOTS = 8
_BUFFERS, _METADATA = 4, 6
_HEADER = 8  # offset of the root table, identifier
_ALIGNMENT = 16  # of the weights, `force_align` in the schema

# The longest name of a model and of a variant.
_NAME = 64
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz0123456789_-"))


def embed_manifest(content: bytes, manifest: EmbeddedManifest) -> bytes:
    """Add what running a model needs to know to its file.

    Args:
        content: of a `.tflite`.
        manifest: describes it.

    Raises:
        ExportError: the file has been given a manifest before, or keeps its weights outside the
            flatbuffer, as files beyond 2 GB do.
    """
    if read_metadata(content, "the model") is not None:
        raise ExportError(f"the model has the metadata {NAME} already; begin with a plain .tflite")
    return add_metadata(content, NAME, manifest.embedded())


def add_metadata(content: bytes, name: str, value: bytes) -> bytes:
    """Add one named buffer of metadata to a `.tflite`.

    Packing the model anew could drop what the schema at hand does not know. Offsets in a
    flatbuffer point forward from where they stand, so a new root table in front of everything
    takes the old one's place, and the old bytes stay together as they are: they move by a
    multiple of their alignment.

    Raises:
        ExportError: the file is of a newer form, or keeps its weights outside the flatbuffer.
    """
    version, old_targets, old_buffers, old_metadata = _read_root(content)
    name_bytes = name.encode()
    # Where everything goes; what is pointed to comes after what points to it.
    root = _HEADER + 4 + 2 * _SLOTS
    buffers = root + 4 + 4 * _SLOTS
    metadata = buffers + 4 + 4 * (len(old_buffers) + 1)
    entry = metadata + 4 + 4 * (len(old_metadata) + 1) + 8
    buffer = entry + 12 + 8
    text = buffer + 8
    data = _aligned(text + 4 + len(name_bytes) + 1 + 4, _ALIGNMENT) - 4
    shift = _aligned(data + 4 + len(value) - _HEADER, _ALIGNMENT)

    front = bytearray(_HEADER + shift)
    front[4:8] = IDENTIFIER

    def point(position: int, target: int) -> None:
        struct.pack_into("<I", front, position, target - position)

    point(0, root)
    inline = range(4, 4 + 4 * _SLOTS, 4)
    targets: dict[int, int] = {slot: position + shift for slot, position in old_targets.items()}
    targets |= {_BUFFERS: buffers, _METADATA: metadata}
    present = [at if slot in (0, *targets) else 0 for slot, at in enumerate(inline)]
    struct.pack_into(f"<HH{_SLOTS}H", front, _HEADER, root - _HEADER, 4 + 4 * _SLOTS, *present)
    struct.pack_into("<iI", front, root, root - _HEADER, version)
    for slot, target in targets.items():
        point(root + inline[slot], target)
    lists = ((buffers, old_buffers, buffer), (metadata, old_metadata, entry))
    for position, tables, added in lists:
        struct.pack_into("<I", front, position, len(tables) + 1)
        for index, table in enumerate([*(table + shift for table in tables), added]):
            point(position + 4 + 4 * index, table)
    # Metadata {name, buffer} and Buffer {data}: each its vtable, then the table.
    struct.pack_into("<4Hi", front, entry - 8, 8, 12, 4, 8, 8)
    point(entry + 4, text)
    struct.pack_into("<I", front, entry + 8, len(old_buffers))
    struct.pack_into("<4Hi", front, buffer - 8, 6, 8, 4, 0, 8)
    point(buffer + 4, data)
    struct.pack_into(f"<I{len(name_bytes)}s", front, text, len(name_bytes), name_bytes)
    struct.pack_into(f"<I{len(value)}s", front, data, len(value), value)
    return bytes(front) + content[_HEADER:]


def _read_root(content: bytes) -> tuple[int, dict[int, int], list[int], list[int]]:
    """Read the root table of a file.

    Returns: version of the schema; field to place in the file, of all that point somewhere; places
    of the tables that the fields for buffers and for metadata list.
    """
    # Loads LiteRT, which reading params need not.
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content)
    table = model._tab
    vtable = table.Pos - struct.unpack_from("<i", content, table.Pos)[0]
    count = struct.unpack_from("<H", content, vtable)[0] // 2 - 2
    if count > _SLOTS:
        raise ExportError(
            f"the model's root table has {count} fields, {_SLOTS} were expected; this version of "
            "kdtasks cannot add metadata to it"
        )
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    if any(buffer.Offset() or buffer.Size() for buffer in buffers):
        raise ExportError(
            "the model keeps its weights outside the flatbuffer, as files beyond 2 GB do; "
            "metadata would move them"
        )
    fields = {slot: table.Pos + table.Offset(4 + 2 * slot) for slot in range(1, _SLOTS)}
    metadata = (model.Metadata(index) for index in range(model.MetadataLength()))
    targets = {slot: table.Indirect(at) for slot, at in fields.items() if at != table.Pos}
    positions = [buffer._tab.Pos for buffer in buffers]
    return model.Version(), targets, positions, [entry._tab.Pos for entry in metadata]


def _aligned(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def sizes(content: bytes) -> Exported:
    """Give the sizes of a file."""
    compressed = gzip.compress(content, compresslevel=9, mtime=0)
    return Exported(bytes=len(content), gzip_bytes=len(compressed))


def with_longest_manifest(content: bytes, class_names: Sequence[str]) -> bytes:
    """Add a manifest of as many bytes as that of this model can have at most.

    Thresholds are known after calibration alone, but limits on the size are met before it.

    Args:
        content: of a `.tflite` of any number of segments.
        class_names: in the order of the logits.
    """
    exits = Segments(content).count
    # Random, for gzip makes less of what repeats itself.
    draw = np.random.default_rng(0)
    numbers = [-float(number) * 1e-300 for number in draw.random(2 * exits - 1)]
    name, variant = ("".join(draw.choice(_LETTERS, _NAME)) for _ in range(2))
    longest = EmbeddedManifest(
        name=name,
        variant=variant,
        task=max(TASKS, key=len),
        class_names=tuple(class_names),
        input={
            "shape": [8192, 6753, 4],
            "dtype": "uint8",
            "range": [0, 255],
            "deep_range": [10000, 65535],
        },
        segments=exits,
        score="max_probability",
        temperatures=tuple(numbers[:exits]),
        thresholds=tuple(numbers[exits:]),
        macs=tuple(int(count) for count in draw.integers(10**12, 10**13, exits)),
        dataset_sha256=sha256(content).hexdigest(),
    )
    return embed_manifest(content, longest)
