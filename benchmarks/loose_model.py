"""A model for the edge without a bundle around it."""

import hashlib
from collections.abc import Sequence

from kdtasks.edge.classifier import Classifier
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import Segments


def loose_model(
    content: bytes,
    macs: Sequence[int],
    thresholds: Sequence[float],
    temperatures: Sequence[float] | None = None,
    *,
    score: str = "max_probability",
) -> Classifier:
    """Load a `.tflite` of ten classes of 32×32 colour images.

    Args:
        macs: of every exit; their number is that of the exits.
        thresholds: of every exit but the last.
        temperatures: of every exit; None for 1.
        score: name of the confidence that the thresholds are of.
    """
    manifest = Manifest(
        name="loose",
        variant="benchmark",
        task="classification",
        class_names=tuple(str(index) for index in range(10)),
        input={"shape": [32, 32, 3], "dtype": "uint8", "range": [0, 255]},
        segments=len(macs),
        score=score,
        temperatures=tuple(temperatures or (1.0,) * len(macs)),
        thresholds=tuple(thresholds),
        calibration={},
        macs=tuple(macs),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        dataset_sha256="",
        parameters={},
        libraries={},
    )
    return Classifier(Segments(content), manifest)
