"""Load a bundle and classify images, leaving at the first exit that is sure enough."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.edge.images import fit_image
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.predictor import Predictor, SelfTest
from kdtasks.edge.scores import SCORES, Decision, apply_policy, softmax
from kdtasks.edge.segments import Segments

# Classes that JSON names.
_TOP = 5


class ClassPrediction(NamedTuple):
    """The class of one image.

    Attributes:
        label: name of the class.
        class_index: its index.
        confidence: its probability after temperature scaling, 0…1.
        exit_index: the exit that answered, 0…K−1; later segments were not run.
        probabilities: float64 [classes] of that exit.
        class_names: [classes].
    """

    label: str
    class_index: int
    confidence: float
    exit_index: int
    probabilities: npt.NDArray[np.float64]
    class_names: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give it with the probabilities of the five likeliest classes."""
        best = np.argsort(-self.probabilities, kind="stable")[:_TOP]
        return {
            "label": self.label,
            "class_index": self.class_index,
            "confidence": self.confidence,
            "exit_index": self.exit_index,
            "probabilities": [
                {"label": self.class_names[k], "probability": float(self.probabilities[k])}
                for k in best
            ],
        }

    def in_size(self, size: tuple[int, int]) -> Self:
        """Give it as it is: an image has its class in any size."""
        return self


class Classifier(Predictor):
    """A bundle, ready to classify; one object serves one thread at a time."""

    task: ClassVar[str] = "classification"
    per_pixel: ClassVar[bool] = False

    def __init__(
        self,
        segments: Segments,
        manifest: Manifest,
        *,
        thresholds: Sequence[float] | None = None,
        self_test: SelfTest | None = None,
    ) -> None:
        """Join the parts of a bundle, as `Predictor` does."""
        super().__init__(segments, manifest, thresholds=thresholds, self_test=self_test)
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

    def fit(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Resize an image to the model's size and give it its channels."""
        height, width, channels = self.segments.input_shape
        return fit_image(pixels, image_size=(height, width), channels=channels)

    def predict(self, image: npt.NDArray[np.uint8]) -> ClassPrediction:
        """Classify one image, uint8 [height, width, channels], raw pixels 0…255.

        Raises:
            DatasetError: the image's shape or dtype is not the model's.
        """
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.shape != self.segments.input_shape:
            raise DatasetError(
                f"the image is {image.dtype} {list(image.shape)}, the model takes uint8 "
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
        return ClassPrediction(
            self.manifest.class_names[class_index],
            class_index,
            float(probabilities[class_index]),
            exit_index,
            probabilities,
            self.manifest.class_names,
        )

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run every exit on images of the model's size; gives float32 [N, K, classes]."""
        return self.segments.logits_of(images)


class Answers(NamedTuple):
    """Answers of a bundle on N images; K exits.

    Attributes:
        logits: float32 [N, K, classes], all exits of every image.
        by_exit: int64 [N, K], the class that each exit would give.
        exit_index: int64 [N], the exit that the image leaves at.
        predicted: int64 [N], the class that it is given there.
    """

    logits: npt.NDArray[np.float32]
    by_exit: npt.NDArray[np.int64]
    exit_index: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]


def answers_of(model: Classifier, images: npt.NDArray[np.uint8], *, checked: int = 50) -> Answers:
    """Run every exit on every image and apply the bundle's thresholds.

    Args:
        model: a loaded bundle.
        images: uint8 [N, height, width, channels].
        checked: so many of the first images are classified once more, one by one and with real
            early exits, which must come to the same.

    Raises:
        BundleError: it does not, so figures from stored logits would not be the device's.
    """
    logits = model.logits(images)
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
                f"image {row} gets (class, exit) {alone} with early exits and {expected} from "
                "all logits; the model is not deterministic, export it again"
            )
    return Answers(logits, by_exit, exit_index, predicted)
