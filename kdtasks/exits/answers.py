"""What a bundle answers on many pictures: every exit's logits, and the exit that each leaves at."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.edge.model import Model
from kdtasks.edge.scores import SCORES
from kdtasks.errors import BundleError
from kdtasks.exits.policy import apply_policy


class Answers(NamedTuple):
    """Answers of a bundle on N pictures; K exits.

    Attributes:
        logits: float32 [N, K, classes], all exits of every picture.
        by_exit: int64 [N, K], the class that each exit would give.
        exit_index: int64 [N], the exit that the picture leaves at.
        predicted: int64 [N], the class that it is given there.
    """

    logits: npt.NDArray[np.float32]
    by_exit: npt.NDArray[np.int64]
    exit_index: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]


def answers_of(model: Model, images: npt.NDArray[np.uint8], *, checked: int = 50) -> Answers:
    """Run every exit on every picture and apply the bundle's thresholds.

    Args:
        model: a loaded bundle.
        images: uint8 [N, height, width, channels].
        checked: so many of the first pictures are classified once more, one by one and with real
            early exits, which must come to the same.

    Raises:
        BundleError: it does not, so figures from stored logits would not be the device's.
    """
    logits = model.segments.logits_of(images)
    scores = SCORES[model.manifest.score](logits, np.asarray(model.manifest.temperatures))
    exit_index = apply_policy(scores, model.thresholds)
    by_exit = logits.argmax(axis=2)
    predicted = by_exit[np.arange(len(logits)), exit_index]
    for row, image in enumerate(images[:checked]):
        prediction = model.predict(image)
        alone = (prediction.class_index, prediction.exit_index)
        expected = (int(predicted[row]), int(exit_index[row]))
        if alone != expected:
            raise BundleError(
                f"picture {row} gets (class, exit) {alone} with early exits and {expected} from "
                "all logits; the model is not deterministic, export it again"
            )
    return Answers(logits, by_exit, exit_index, predicted)
