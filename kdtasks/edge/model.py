"""Load a bundle and classify pictures, leaving at the first exit that is sure enough."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.edge.bundle import check_bundle, open_bundle
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.scores import ALWAYS, NEVER, SCORES, softmax
from kdtasks.edge.segments import Segments
from kdtasks.errors import BundleError, DatasetError


class Prediction(NamedTuple):
    """What a model says of one picture.

    Attributes:
        label: name of the class.
        class_index: its index.
        confidence: its probability after temperature scaling, 0…1.
        exit_index: the exit that answered, 0…K−1; later segments were not run.
        probabilities: float64 [classes] of that exit.
    """

    label: str
    class_index: int
    confidence: float
    exit_index: int
    probabilities: npt.NDArray[np.float64]


class Model:
    """A bundle, ready to classify; one object serves one thread at a time."""

    def __init__(
        self, segments: Segments, manifest: Manifest, thresholds: Sequence[float] | None = None
    ) -> None:
        """Join segments and manifest; arguments as for `load`, which also checks the file."""
        check_bundle(segments, manifest, task="classification")
        self.manifest = manifest
        self.segments = segments
        self._score = None if manifest.score == "max_probability" else SCORES[manifest.score]
        self.thresholds = check_thresholds(
            manifest.thresholds if thresholds is None else thresholds, exits=segments.count
        )

    @classmethod
    def load(
        cls,
        bundle_folder: Path | str,
        thresholds: Sequence[float] | None = None,
        threads: int = 1,
    ) -> "Model":
        """Open a bundle.

        Args:
            bundle_folder: holds `model.tflite` and `manifest.json`.
            thresholds: [K − 1], in place of the manifest's; `ALWAYS` and `NEVER` of
                kdtasks.edge.scores always and never leave, whatever the score.
            threads: threads of the LiteRT interpreter.

        Raises:
            BundleError: the bundle is incomplete, damaged or contradicts itself, or the
                thresholds do not fit.
        """
        segments, manifest = open_bundle(bundle_folder, threads)
        return cls(segments, manifest, thresholds)

    def predict(self, image: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one picture, uint8 [height, width, channels], raw pixels 0…255.

        Raises:
            DatasetError: the picture's shape or dtype is not the model's.
        """
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.shape != self.segments.input_shape:
            raise DatasetError(
                f"the picture is {image.dtype} {list(image.shape)}, the model takes uint8 "
                f"{list(self.segments.input_shape)} with raw pixels 0…255; convert or resize it"
            )
        last = self.segments.count - 1
        for exit_index, logits in enumerate(self.segments.steps(image)):
            temperature = self.manifest.temperatures[exit_index]
            probabilities = softmax(logits, temperature)
            if exit_index == last:
                break
            # The largest probability is at hand; microseconds count here.
            score = self._score(logits, temperature) if self._score else probabilities.max()
            if score >= self.thresholds[exit_index]:
                break
        class_index = int(logits.argmax())
        return Prediction(
            self.manifest.class_names[class_index],
            class_index,
            float(probabilities[class_index]),
            exit_index,
            probabilities,
        )


def check_thresholds(thresholds: Sequence[float], *, exits: int) -> tuple[float, ...]:
    """Give thresholds as floats, one for each of the `exits` but the last.

    Raises:
        BundleError: there are too few or too many, or one is not finite.
    """
    checked = tuple(float(threshold) for threshold in thresholds)
    if len(checked) != exits - 1:
        raise BundleError(
            f"{len(checked)} thresholds were given, a model with {exits} exits takes {exits - 1}: "
            "one for each exit but the last"
        )
    for threshold in checked:
        if not math.isfinite(threshold):
            raise BundleError(
                f"a threshold is {threshold}; it must be a finite number: use {ALWAYS} to always "
                f"leave, {NEVER} to never leave"
            )
    return checked
