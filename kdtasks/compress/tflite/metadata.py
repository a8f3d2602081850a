"""Put a manifest's short form into a `.tflite`, whose own bytes stay as they were converted."""

import gzip
import json
import struct
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from kdtasks.core.errors import ExportError
from kdtasks.core.records.compress import Exported
from kdtasks.edge.manifest import FIELDS, IDENTIFIER, NAME, Manifest, read_metadata
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


def embed_manifest(content: bytes, manifest: Manifest) -> bytes:
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
    told = manifest.to_json()
    text = json.dumps(
        {field: told[field] for field in FIELDS},
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return add_metadata(content, NAME, text.encode())


def add_metadata(content: bytes, name: str, value: bytes) -> bytes:
    """Add one named buffer of metadata to a `.tflite`.

    Packing the model anew could drop what the schema at hand does not know. Offsets in a
    flatbuffer point forward from where they stand, so a new root table in front of everything
    takes the old one's place, and the old bytes stay together as they are: they move by a
    multiple of their alignment.

    Raises:
        ExportError: the file is of a newer form, or keeps its weights outside the flatbuffer.
    """
    old = _read_root(content)
    name_bytes = name.encode()
    # Where everything goes; what is pointed to comes after what points to it.
    root = _HEADER + 4 + 2 * _SLOTS
    buffers = root + 4 + 4 * _SLOTS
    metadata = buffers + 4 + 4 * (len(old.buffers) + 1)
    entry = metadata + 4 + 4 * (len(old.metadata) + 1) + 8
    buffer = entry + 12 + 8
    text = buffer + 8
    data = _aligned(text + 4 + len(name_bytes) + 1 + 4, _ALIGNMENT) - 4
    shift = _aligned(data + 4 + len(value) - _HEADER, _ALIGNMENT)

    front = bytearray(_HEADER + shift)
    front[4:8] = IDENTIFIER

    def point(place: int, target: int) -> None:
        struct.pack_into("<I", front, place, target - place)

    point(0, root)
    inline = range(4, 4 + 4 * _SLOTS, 4)
    targets: dict[int, int] = {slot: place + shift for slot, place in old.targets.items()}
    targets |= {_BUFFERS: buffers, _METADATA: metadata}
    present = [at if slot in (0, *targets) else 0 for slot, at in enumerate(inline)]
    struct.pack_into(f"<HH{_SLOTS}H", front, _HEADER, root - _HEADER, 4 + 4 * _SLOTS, *present)
    struct.pack_into("<iI", front, root, root - _HEADER, old.version)
    for slot, target in targets.items():
        point(root + inline[slot], target)
    for place, tables, added in (
        (buffers, old.buffers, buffer),
        (metadata, old.metadata, entry),
    ):
        struct.pack_into("<I", front, place, len(tables) + 1)
        for index, table in enumerate([*(table + shift for table in tables), added]):
            point(place + 4 + 4 * index, table)
    # Metadata {name, buffer} and Buffer {data}: each its vtable, then the table.
    struct.pack_into("<4Hi", front, entry - 8, 8, 12, 4, 8, 8)
    point(entry + 4, text)
    struct.pack_into("<I", front, entry + 8, len(old.buffers))
    struct.pack_into("<4Hi", front, buffer - 8, 6, 8, 4, 0, 8)
    point(buffer + 4, data)
    struct.pack_into(f"<I{len(name_bytes)}s", front, text, len(name_bytes), name_bytes)
    struct.pack_into(f"<I{len(value)}s", front, data, len(value), value)
    return bytes(front) + content[_HEADER:]


class _Root(NamedTuple):
    """The root table of a file.

    Attributes:
        version: of the schema.
        targets: field to place in the file, of all fields that point somewhere.
        buffers, metadata: places of the tables that these two fields list.
    """

    version: int
    targets: dict[int, int]
    buffers: list[int]
    metadata: list[int]


def _read_root(content: bytes) -> _Root:
    table = _unsigned(content, 0)
    fields = _fields(content, table)
    if len(fields) > _SLOTS:
        raise ExportError(
            f"the model's root table has {len(fields)} fields, {_SLOTS} were expected; this "
            "version of kdtasks cannot add metadata to it"
        )
    places = {slot: table + field for slot, field in enumerate(fields) if field}
    version = _unsigned(content, places.pop(0)) if 0 in places else 0
    targets = {slot: place + _unsigned(content, place) for slot, place in places.items()}
    buffers, metadata = (_tables(content, targets.get(slot)) for slot in (_BUFFERS, _METADATA))
    for buffer in buffers:
        if any(_fields(content, buffer)[1:]):  # `offset` and `size` in the file
            raise ExportError(
                "the model keeps its weights outside the flatbuffer, as files beyond 2 GB do; "
                "metadata would move them"
            )
    return _Root(version, targets, buffers, metadata)


def _fields(content: bytes, table: int) -> list[int]:
    """Offset of each field in a table, 0 where it is absent."""
    vtable = table - struct.unpack_from("<i", content, table)[0]
    slots = (struct.unpack_from("<H", content, vtable)[0] - 4) // 2
    return list(struct.unpack_from(f"<{slots}H", content, vtable + 4))


def _tables(content: bytes, vector: int | None) -> list[int]:
    if vector is None:
        return []
    places = [vector + 4 + 4 * index for index in range(_unsigned(content, vector))]
    return [place + _unsigned(content, place) for place in places]


def _unsigned(content: bytes, place: int) -> int:
    return int(struct.unpack_from("<I", content, place)[0])


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
    longest = Manifest(
        name=name,
        variant=variant,
        task=max(TASKS, key=len),
        class_names=tuple(class_names),
        input={"shape": [8192, 6753, 4], "dtype": "uint8", "range": [0, 255]},
        segments=exits,
        score="max_probability",
        temperatures=tuple(numbers[:exits]),
        thresholds=tuple(numbers[exits:]),
        calibration={},
        macs=tuple(int(count) for count in draw.integers(10**12, 10**13, exits)),
        bytes=0,
        sha256="",
        dataset_sha256=sha256(content).hexdigest(),
        parameters={},
        libraries={},
    )
    return embed_manifest(content, longest)
