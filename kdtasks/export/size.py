"""How large a model is that is shipped, with what it needs to know inside."""

import gzip
from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import Segments
from kdtasks.export.metadata import embed_manifest

# The longest that stands where a number or a name is not known yet.
_NAME = 64
_SIDE = 9999
_MACS = 10**13


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
    # Some of the longest that a number can be, and different, for equal ones would gzip well.
    numbers = [-float(number) * 1e-300 for number in np.random.default_rng(0).random(2 * exits)]
    longest = Manifest(
        name="n" * _NAME,
        variant="v" * _NAME,
        task="classification",
        class_names=tuple(class_names),
        input={"shape": [_SIDE] * 3, "dtype": "uint8", "range": [0, 255]},
        segments=exits,
        score="max_probability",
        temperatures=tuple(numbers[:exits]),
        thresholds=tuple(numbers[exits:-1]),
        calibration={},
        macs=tuple(_MACS + exit for exit in range(exits)),
        bytes=0,
        sha256="",
        dataset_sha256=sha256(content).hexdigest(),
        parameters={},
        libraries={},
    )
    return embed_manifest(content, longest)
