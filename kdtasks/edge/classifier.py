"""Load a bundle and classify pictures, leaving at the first exit that is sure enough."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.predictor import OpenBundle, check_bundle
from kdtasks.edge.scores import ALWAYS, NEVER, SCORES, Decision, apply_policy, softmax
from kdtasks.edge.segments import Segments


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


class Model(OpenBundle):
    """A bundle, ready to classify; one object serves one thread at a time.

    Attributes:
        thresholds: [K − 1], those in use.
    """

    def __init__(
        self,
        bundle: Path | str,
        thresholds: Sequence[float] | None = None,
        threads: int = 1,
    ) -> None:
        """Open a bundle.

        Args:
            bundle: a folder with `model.tflite` and `manifest.json`, a `.kdz` file, or a bare
                `.tflite` that was exported by kdtasks.
            thresholds: [K − 1], in place of the bundle's; `ALWAYS` and `NEVER` of
                kdtasks.edge.scores always and never leave, whatever the score.
            threads: threads of the LiteRT interpreter.

        Raises:
            BundleError: the bundle is incomplete, damaged or contradicts itself, or the
                thresholds do not fit.
        """
        super().__init__(bundle, threads)
        self._prepare(thresholds)

    @classmethod
    def load(
        cls,
        bundle: Path | str,
        thresholds: Sequence[float] | None = None,
        threads: int = 1,
    ) -> "Model":
        """Open a bundle; the same as `Model(bundle, thresholds, threads)`."""
        return cls(bundle, thresholds, threads)

    @classmethod
    def of(
        cls, segments: Segments, manifest: Manifest, thresholds: Sequence[float] | None = None
    ) -> "Model":
        """Join segments and a manifest that are open already; it has no self-test."""
        model = cls.__new__(cls)
        model.segments, model.manifest = segments, manifest
        model._prepare(thresholds)
        return model

    def _prepare(self, thresholds: Sequence[float] | None) -> None:
        check_bundle(self.segments, self.manifest, task="classification")
        self.thresholds = check_thresholds(
            self.manifest.thresholds if thresholds is None else thresholds,
            exits=self.segments.count,
        )
        self._decisions = [
            Decision(
                score=self.manifest.score,
                temperature=self.manifest.temperatures[exit_index],
                threshold=threshold,
                scale=self.segments.logits_scales[exit_index],
                steps=self.segments.logits_steps[exit_index],
                num_classes=self.segments.num_classes,
                decode=self.segments.decoders[exit_index],
            )
            for exit_index, threshold in enumerate(self.thresholds)
        ]

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
        segments, last = self.segments, len(self._decisions)
        tensors = segments.begin(image)
        for exit_index in range(segments.count):
            numbers, tensors = segments.run(exit_index, tensors)
            if exit_index == last or self._decisions[exit_index](numbers):
                break
        logits = segments.decoders[exit_index](numbers)
        probabilities = softmax(logits, self.manifest.temperatures[exit_index])
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
            f"thresholds given: {len(checked)}; a model with {exits} exits takes {exits - 1}, one "
            "for each exit but the last"
        )
    for threshold in checked:
        if not math.isfinite(threshold):
            raise BundleError(
                f"a threshold is {threshold}; it must be a finite number: use {ALWAYS} to always "
                f"leave, {NEVER} to never leave"
            )
    return checked


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
