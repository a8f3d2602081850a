"""Targets are stored as float16."""

from collections.abc import Sequence

import numpy as np

from kdtasks.core.errors import TeacherError

_LARGEST = float(np.finfo(np.float16).max)


def to_float16(answers: Sequence[np.ndarray], layers: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Return logits and hidden features, float32 [N, …], as float16.

    From the logits of an image their maximum is subtracted first: what all of them have in common
    changes no loss, and float16 has most digits around 0.

    Args:
        answers: the logits, and the features of each layer.
        layers: names of the layers, for the message.

    Raises:
        TeacherError: a number is not finite, or beyond 65,504.
    """
    logits, *features = answers
    with np.errstate(invalid="ignore"):  # what is not finite is told below
        shifted = logits - logits.max(axis=tuple(range(1, logits.ndim)), keepdims=True)
    stored = (shifted, *features)
    for name, answer in zip(("logits", *layers), stored, strict=True):
        what = name if name == "logits" else f"features of {name}"
        # One pass over the array: NaN makes both ends NaN, infinity one of them infinite.
        largest = max(-float(answer.min()), float(answer.max()))
        if not np.isfinite(largest):
            raise TeacherError(
                f"the teacher's {what} are not all finite; look at its weights, and at the range "
                "of its input"
            )
        if largest > _LARGEST:
            advice = "name a layer behind a normalisation"
            if name == "logits":
                advice = "scale its last layer down"
            raise TeacherError(
                f"the teacher's {what} reach {largest:g}; targets are stored as float16, which "
                f"holds up to 65,504: {advice}"
            )
    return tuple(answer.astype(np.float16) for answer in stored)
