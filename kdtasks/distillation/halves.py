"""The teacher's answers as float16, half the size and near enough: 4e-5 in a logit of 1."""

from collections.abc import Sequence

import numpy as np

from kdtasks.errors import TeacherError

_LARGEST = float(np.finfo(np.float16).max)


def as_halves(answers: Sequence[np.ndarray], layers: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Return logits and hidden features, float32 [N, …], as float16.

    Arguments:
        answers: the logits, and the features of each layer.
        layers: names of the layers, for the message.

    Raises:
        TeacherError: a number is not finite, or beyond 65,504.
    """
    for name, answer in zip(("logits", *layers), answers, strict=True):
        what = name if name == "logits" else f"features of {name}"
        # One pass over the array: NaN makes both ends NaN, infinity one of them infinite.
        largest = max(-float(answer.min()), float(answer.max()))
        if not np.isfinite(largest):
            raise TeacherError(
                f"the teacher's {what} are not all finite; look at its weights, and at the range "
                "of its input"
            )
        if largest > _LARGEST:
            raise TeacherError(
                f"the teacher's {what} reach {largest:g}; targets are stored as float16, which "
                "holds up to 65,504: scale the teacher's last layer down"
                if name == "logits"
                else f"the teacher's {what} reach {largest:g}; targets are stored as float16, "
                "which holds up to 65,504: name a layer behind a normalisation"
            )
    return tuple(answer.astype(np.float16) for answer in answers)
