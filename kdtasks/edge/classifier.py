"""Load a bundle and classify images, leaving at the first exit that is sure enough."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from kdtasks.core import JsonObject
from kdtasks.core.errors import BundleError
from kdtasks.edge.decoder import Size
from kdtasks.edge.predictor import Predictor, shape_error
from kdtasks.edge.scores import ALWAYS, NEVER, SCORES, apply_policy, max_probability
from kdtasks.edge.segments import Logits, Pixels, TensorSpec, decoder

_PIXEL = np.dtype(np.uint8)

# Classes that JSON names.
_TOP = 5

# With more classes numpy's arrays are faster than Python's lists.
_MOST_CLASSES = 48
_MOST_STEPS = 255

# Rounding to float32 moves a number by at most this fraction of it.
_ROUNDING = 2.0**-24

Score = Callable[[npt.ArrayLike, npt.ArrayLike], npt.NDArray[np.float64]]


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

    def to_json(self) -> JsonObject:
        """Give it with the probabilities of the five likeliest classes."""
        best = np.argsort(-self.probabilities, kind="stable")[:_TOP]
        likeliest = [
            {"label": self.class_names[k], "probability": float(self.probabilities[k])}
            for k in best
        ]
        content = self._asdict() | {"probabilities": likeliest}
        del content["class_names"]
        return content

    def in_size(self, size: tuple[int, int]) -> Self:
        """Give it as it is: an image has its class in any size."""
        return self


class Classifier(Predictor):
    """A bundle, ready to classify; one object serves one thread at a time."""

    task: ClassVar[str] = "classification"
    per_pixel: ClassVar[bool] = False

    @cached_property
    def _exits(self) -> list[tuple["ExitRule", "Softmax"]]:
        temperatures, specs = self.manifest.temperatures, self.segments.logits_specs
        score, thresholds = SCORES[self.manifest.score], (*self.thresholds, ALWAYS)
        return [
            (ExitRule(score, temperature, threshold, spec), Softmax(temperature, spec))
            for temperature, threshold, spec in zip(temperatures, thresholds, specs, strict=True)
        ]

    @property
    def image_size(self) -> Size:
        """The model's own."""
        height, width, _ = self.segments.input_shape
        return height, width

    def predict(self, image: Pixels) -> ClassPrediction:
        """Classify one image, uint8 [height, width, channels], raw pixels 0…255.

        Raises:
            DatasetError: the image's shape or dtype is not the model's.
        """
        segments, image = self.segments, np.asarray(image)
        if image.dtype != _PIXEL or image.shape != segments.input_shape:
            raise shape_error(image, segments.input_shape, "convert or resize it")
        exits = self._exits
        segments.begin(image)
        for exit_index, (leaves, _) in enumerate(exits):
            numbers = segments.run(exit_index)
            if leaves(numbers):  # the last always does
                break
        class_index = int(numbers.argmax())
        probabilities = exits[exit_index][1](numbers, class_index)
        names, confidence = self.manifest.class_names, float(probabilities[class_index])
        return ClassPrediction(
            names[class_index], class_index, confidence, exit_index, probabilities, names
        )

    def logits(self, images: Pixels) -> Logits:
        """Run every exit on images of the model's size; gives float32 [N, K, classes]."""
        return self.segments.logits_of(images)


class Softmax:
    """Probabilities of one exit, to the last bit those of `kdtasks.edge.scores.softmax`."""

    def __init__(self, temperature: float, spec: TensorSpec) -> None:
        """Look up what numbers of 8 bits stand for; `spec` is of the exit's logits in the file."""
        # An array of no axes: of a number numpy makes one, at every call.
        self._temperature, self._decode = np.array(temperature, np.float64), decoder(spec)
        self._sum = np.empty(())
        self._table: npt.NDArray[np.float64] | None = None
        self._exponentials: dict[int, npt.NDArray[np.float64]] = {}  # by the largest number
        if spec.dtype.itemsize == 1:
            numbers = np.arange(256, dtype=np.uint8).view(spec.dtype)
            self._table = self._decode(numbers).astype(np.float64) / temperature

    def __call__(self, numbers: npt.NDArray[Any], largest: int) -> npt.NDArray[np.float64]:
        """Give the probabilities [classes].

        Args:
            numbers: [classes], the logits as the file gives them.
            largest: index of the largest.
        """
        if self._table is None:
            probabilities = self._decode(numbers).astype(np.float64)
            probabilities /= self._temperature
            probabilities -= probabilities[largest]
            np.exp(probabilities, out=probabilities)
        else:
            found = numbers.view(np.uint8)
            number = found.item(largest)
            exponentials = self._exponentials.get(number)
            if exponentials is None:
                exponentials = np.exp(np.minimum(self._table - self._table[number], 0.0))
                self._exponentials[number] = exponentials
            probabilities = exponentials.take(found)
        probabilities /= np.add.reduce(probabilities, out=self._sum)
        return probabilities


class ExitRule:
    """Compares the score of one exit with its threshold.

    Of `max_probability` and few classes the score is computed in Python's own numbers, from the
    numbers of the file: a dozen calls of numpy for ten classes take longer than a small segment
    runs. Where rounding could turn the comparison, the exact score decides.
    """

    def __init__(
        self, score: Score, temperature: float, threshold: float, spec: TensorSpec
    ) -> None:
        """Prepare the comparison.

        Args:
            score: one of `kdtasks.edge.scores.SCORES`.
            temperature, threshold: of the exit.
            spec: of its logits in the file.
        """
        self._score, self._decode = score, decoder(spec)
        self._temperature, self._threshold = temperature, threshold
        self._is_short = score is max_probability and spec.shape[-1] <= _MOST_CLASSES
        self._rate = (spec.scale or 1.0) / temperature
        # Steps between the smallest and the largest logit; floats have none.
        steps = 0 if spec.dtype.kind == "f" else 2 ** (8 * spec.dtype.itemsize) - 1
        self._doubt = 1e-9 + 4 * _ROUNDING * steps * self._rate
        # Of 8 bits there are few differences: their exponentials are looked up.
        table_size = steps + 1 if 0 < steps <= _MOST_STEPS else 0
        self._table = [math.exp(-difference * self._rate) for difference in range(table_size)]

    def __call__(self, numbers: npt.NDArray[Any]) -> bool:
        """Whether the exit answers.

        Args:
            numbers: [classes], the logits as the file gives them.
        """
        if self._threshold in (ALWAYS, NEVER):
            return self._threshold == ALWAYS
        if self._is_short:
            values = numbers.tolist()
            largest = max(values)
            if self._table:
                table = self._table
                score = 1.0 / sum([table[largest - value] for value in values])
            else:
                exp, rate = math.exp, self._rate
                score = 1.0 / sum([exp((value - largest) * rate) for value in values])
            if abs(score - self._threshold) > self._doubt:
                return score > self._threshold
        exact = self._score(self._decode(numbers), self._temperature)
        return bool(exact >= self._threshold)


class BatchPredictions(NamedTuple):
    """What a bundle predicts of N images; K exits.

    Attributes:
        logits: float32 [N, K, classes], all exits of every image.
        by_exit: int64 [N, K], the class that each exit would give.
        exit_index: int64 [N], the exit that the image leaves at.
        predicted: int64 [N], the class that it is given there.
    """

    logits: Logits
    by_exit: npt.NDArray[np.int64]
    exit_index: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]


def predict_batch(model: Classifier, images: Pixels, *, checked: int = 50) -> BatchPredictions:
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
    return BatchPredictions(logits, by_exit, exit_index, predicted)
