"""What every model on a device does, whatever its task; bundles are opened and checked here."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from kdtasks.core import JsonObject
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.edge.bundle_files import MODEL, open_bundle_files
from kdtasks.edge.decoder import MAX_PIXELS, DecodedImage, Decoder, File, Size
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.scores import ALWAYS, NEVER
from kdtasks.edge.segments import Logits, Pixels, Segments
from kdtasks.edge.self_test import SelfTest, load_self_test


class Prediction(Protocol):
    """What a model says of one image."""

    @property
    def exit_index(self) -> int:
        """The exit that answered, 0…K−1; later segments were not run."""

    @property
    def confidence(self) -> float:
        """How sure the model is, 0…1, after temperature scaling; of masks the mean over pixels."""

    def to_json(self) -> JsonObject:
        """Give it as JSON holds it."""

    def in_size(self, size: tuple[int, int]) -> Self:
        """Give it for an image of another height and width, from which this one was resized."""


class Predictor(ABC):
    """A bundle, ready to answer; one object serves one thread at a time.

    Attributes:
        task: of the bundles that the class serves.
        per_pixel: whether it answers with masks.
        manifest: what the bundle says of itself.
        segments: its model.
        thresholds: [K − 1], those in use.
    """

    task: ClassVar[str]
    per_pixel: ClassVar[bool]

    def __init__(
        self,
        segments: Segments,
        manifest: Manifest,
        *,
        thresholds: Sequence[float] | None = None,
        self_test: SelfTest | None = None,
    ) -> None:
        """Join the parts of a bundle; `load` opens one.

        Args:
            segments: the model.
            manifest: what the bundle says of it.
            thresholds: [K − 1], in place of the manifest's.
            self_test: null where there is none.

        Raises:
            BundleError: the parts contradict each other, or the thresholds do not fit.
        """
        self.segments, self.manifest, self._self_test = segments, manifest, self_test
        self._check_parts()
        self.thresholds = check_thresholds(
            manifest.thresholds if thresholds is None else thresholds, exits=segments.count
        )

    @classmethod
    def load(
        cls, bundle: Path | str, thresholds: Sequence[float] | None = None, threads: int = 1
    ) -> Self:
        """Open a bundle.

        Args:
            bundle: a folder with `model.tflite` and `manifest.json`, a `.kdz` file, or a bare
                `.tflite` that was exported by kdtasks.
            thresholds: [K − 1], in place of the bundle's; `ALWAYS` and `NEVER` of
                kdtasks.edge.scores always and never leave, whatever the score.
            threads: threads of the LiteRT interpreter.

        Raises:
            BundleError: the bundle is incomplete, damaged, contradicts itself or is for another
                task, or the thresholds do not fit.
        """
        with open_bundle_files(Path(bundle)) as files:
            manifest = files.manifest()
            segments = Segments(files.checked(MODEL, manifest.sha256), threads)
            self_test = load_self_test(files, manifest, segments)
        return cls(segments, manifest, thresholds=thresholds, self_test=self_test)

    @property
    @abstractmethod
    def image_size(self) -> Size | None:
        """Height and width that images are resized to, as those of training; null: their own."""

    def decoder(self, max_pixels: int = MAX_PIXELS) -> Decoder:
        """Give what reads images as those of training were read."""
        deep_range = self.manifest.input.get("deep_range")
        return Decoder(max_pixels, tuple(deep_range) if deep_range else None)

    def decode(self, file: File | Pixels, *, max_pixels: int = MAX_PIXELS) -> DecodedImage:
        """Make of an image what training images were, with the very code that `prepare` uses.

        Needs Pillow, but for arrays that fit as they are.

        Args:
            file: path or content of an image; or uint8 [height, width, 1 or 3], of any size, which
                is resized and given the model's channels.
            max_pixels: files of more are refused by their header.

        Raises:
            ImageError: it cannot be used.
        """
        channels = self.segments.input_shape[2]
        decoder = self.decoder(max_pixels)
        return decoder.read(file, image_size=self.image_size, channels=channels)

    def pixels_held(self, file: File, *, max_pixels: int = MAX_PIXELS) -> int:
        """Count the pixels that `decode` will hold at its peak; errors as of it."""
        return self.decoder(max_pixels).pixels_held(file, self.image_size)

    def read(self, file: File | str | Pixels) -> Pixels:
        """Give the pixels that `predict` takes, as `decode` makes them."""
        return self.decode(Path(file) if isinstance(file, str) else file).pixels

    @abstractmethod
    def predict(self, image: Pixels) -> Prediction:
        """Answer one image, uint8 [height, width, channels], raw pixels 0…255, as of `read`.

        Raises:
            DatasetError: the image's shape or dtype is not what the model takes.
        """

    @abstractmethod
    def logits(self, images: Pixels) -> Logits:
        """Run the whole network on images of its own size, uint8 [N, height, width, channels]."""

    def without_early_exits(self) -> Self:
        """Give a model of the same segments that runs every image to the last exit."""
        never = [NEVER] * (self.segments.count - 1)
        return type(self)(self.segments, self.manifest, thresholds=never, self_test=self._self_test)

    @property
    def test_images(self) -> Pixels | None:
        """Images of the self-test, uint8 [M, height, width, channels]; null where it has none."""
        return self._self_test.images if self._self_test else None

    def self_test(self) -> int:
        """Compare this device's answers to the stored images with the expected ones.

        Every segment runs, whatever the thresholds.

        Returns: the number of images.

        Raises:
            BundleError: the first logit beyond its tolerance, or the bundle has no self-test.
        """
        if self._self_test is None:
            raise BundleError(
                f"the bundle of {self.manifest.name} has no self-test; export it again, and give "
                "its folder or its .kdz file, a bare .tflite has none"
            )
        return self._self_test.check(self.segments)

    def warm_up(self) -> None:
        """Run every segment once, for LiteRT sets each up when it first runs."""
        self.segments.logits(np.zeros(self.segments.input_shape, np.uint8))

    def _check_parts(self) -> None:
        segments, manifest = self.segments, self.manifest
        if manifest.task != self.task:
            raise BundleError(
                f"the bundle's task is {manifest.task}, {type(self).__name__} serves {self.task}; "
                "kdtasks.edge.load_predictor opens bundles of any task"
            )
        sides = segments.input_shape[:2] if self.per_pixel else ()
        found = (segments.count, segments.input_shape, segments.logits_shape)
        expected = (manifest.segments, manifest.input_shape, (*sides, len(manifest.class_names)))
        if found != expected:
            raise BundleError(
                f"the model has (segments, input shape, logits shape) {found}, its manifest says "
                f"{expected}; export the bundle again"
            )


def check_thresholds(thresholds: Sequence[float], *, exits: int) -> tuple[float, ...]:
    """Give thresholds as floats, one for each of the `exits` but the last.

    Raises:
        BundleError: there are too few or too many, or one is not finite.
    """
    checked = tuple(float(threshold) for threshold in thresholds)
    if len(checked) != exits - 1 or not all(map(math.isfinite, checked)):
        raise BundleError(
            f"thresholds given: {len(checked)}; a model with {exits} exits takes {exits - 1}, one "
            f"for each exit but the last, each a finite number ({ALWAYS}: always leave, {NEVER}: "
            f"never), got {checked}"
        )
    return checked


def shape_error(images: npt.NDArray[Any], shape: Sequence[int | str], advice: str) -> DatasetError:
    """The error for images that the model does not take; a name in `shape` stands for any size."""
    return DatasetError(
        f"got {images.dtype} {list(images.shape)}, the model takes uint8 "
        f"[{', '.join(map(str, shape))}] with raw pixels 0…255; {advice}"
    )
