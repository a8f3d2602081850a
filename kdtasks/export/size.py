"""How large a model is that is shipped, with what it needs to know inside."""

import gzip
from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import Segments
from kdtasks.export.metadata import embed_manifest

# The longest name of a model and of a variant.
_NAME = 64
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz0123456789_-"))


def sizes(content: bytes) -> dict[str, int]:
    """Give `bytes` and `gzip_bytes` of a file."""
    return {
        "bytes": len(content),
        "gzip_bytes": len(gzip.compress(content, compresslevel=9, mtime=0)),
    }


def with_longest_manifest(content: bytes, class_names: Sequence[str]) -> bytes:
    """Add a manifest of as many bytes as that of this model can have at most.

    Thresholds are known after calibration alone, but limits on the size are met before it.

    Arguments:
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
        task="classification",
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
