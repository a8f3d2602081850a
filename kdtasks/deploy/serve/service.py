"""Answers images in threads, and changes the model between two of them."""

import base64
import contextlib
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from kdtasks.core import JsonObject
from kdtasks.edge.decoder import DecodedImage, ImageError
from kdtasks.edge.formats import FORMATS
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.pixel_budget import PixelBudget
from kdtasks.edge.predictor import Prediction, Predictor
from kdtasks.edge.registry import load_predictor
from kdtasks.edge.segmenter import MaskPrediction

# A server's own limit: four to ten bytes a pixel, whatever the number of threads.
MAX_PIXELS = 50_000_000


class Release:
    """One version of a model, with an interpreter for every thread.

    Attributes:
        manifest: of the bundle.
        per_pixel: whether it answers with masks.
        number: of the version in a store; null for a bundle that comes from elsewhere.
    """

    def __init__(self, models: list[Predictor], number: int | None) -> None:
        """Args: `models` are the same bundle, once for every thread."""
        self.manifest: Manifest = models[0].manifest
        self.per_pixel = models[0].per_pixel
        self.number = number
        self._idle: queue.SimpleQueue[Predictor] = queue.SimpleQueue()
        for model in models:
            self._idle.put(model)

    @contextlib.contextmanager
    def borrow(self) -> Iterator[Predictor]:
        """Lend a model to one thread."""
        model = self._idle.get()
        try:
            yield model
        finally:
            self._idle.put(model)

    def describe(self) -> JsonObject:
        """Say which model it is, as answers and `/health` do."""
        return {
            "name": self.manifest.name,
            "variant": self.manifest.variant,
            "version": self.number,
            "sha256": self.manifest.sha256,
        }


class Response(NamedTuple):
    """What came of one image.

    Attributes:
        prediction: in the image's own size.
        milliseconds: LiteRT's, without decoding.
        release: that answered.
        mask: as a PNG file's content; null where nobody asked for it.
    """

    prediction: Prediction
    milliseconds: float
    release: Release
    mask: bytes | None = None

    def to_json(self) -> JsonObject:
        """Give the content of the response, with the mask in base64 where there is one."""
        mask = {} if self.mask is None else {"mask": base64.b64encode(self.mask).decode()}
        return {
            **self.prediction.to_json(),
            **mask,
            "exits": self.release.manifest.segments,
            "milliseconds": self.milliseconds,
            "model": self.release.describe(),
        }


Observer = Callable[[Response], None]


class Service:
    """A model behind threads; its release can be changed at any time, and no image is lost.

    Attributes:
        release: what answers from now on; null before there is one.
        observers: called with every answer, in the thread that gave it; they must be quick.
    """

    def __init__(
        self, release: Release | None, *, threads: int, max_pixels: int = MAX_PIXELS
    ) -> None:
        """Start with a release that was loaded for as many threads, or without one.

        Images of more than `max_pixels` are refused by their header, and no more than so many, of
        four bytes, are held at once, in all threads together; one that takes more goes alone.
        """
        self._max_pixels, self._budget = max_pixels, PixelBudget(max_pixels)
        self.release = release
        self.observers: list[Observer] = []
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="predict")

    def submit(self, data: bytes, *, with_mask: bool = False) -> Future[Response]:
        """Have the bytes of an image answered, with its mask as a PNG where that is asked for.

        The future raises RequestError for what cannot be decoded, for a mask that the model does
        not give, and where there is no release yet.
        """
        return self._threads.submit(self._answer, data, with_mask)

    def close(self) -> None:
        """Finish what was submitted, and take no more."""
        self._threads.shutdown(wait=True)

    def _answer(self, data: bytes, with_mask: bool) -> Response:
        release = self.release  # the one that also finishes this image
        if release is None:
            raise RequestError(503, "there is no model yet; try again later")
        if with_mask and not release.per_pixel:
            raise RequestError(400, "the model tells the class of whole images; leave mask out")
        with release.borrow() as model, self._budget.held(self._pixels_held(data, model)):
            image = decode_image(data, model, self._max_pixels)
            began = time.perf_counter_ns()
            prediction = model.predict(image.pixels)
            milliseconds = (time.perf_counter_ns() - began) / 1e6
            prediction = prediction.in_size(image.size)
            mask = None
            if with_mask and isinstance(prediction, MaskPrediction):
                mask = prediction.to_png()
        response = Response(prediction, milliseconds, release, mask)
        for observe in self.observers:
            observe(response)
        return response

    def _pixels_held(self, data: bytes, model: Predictor) -> int:
        with _refusals(data):
            return model.pixels_held(data, max_pixels=self._max_pixels)


def load_release(bundle: Path, *, threads: int, number: int | None = None) -> Release:
    """Load a bundle, run its self-test if it has one, and warm every interpreter up.

    Args:
        bundle: folder, `.kdz` or `.tflite`.
        threads: interpreters, each with one thread of LiteRT.

    Raises:
        BundleError: it is damaged, or does not answer as it did where it was made.
    """
    models = [load_predictor(bundle) for _ in range(threads)]
    if models[0].manifest.self_test is not None:
        models[0].self_test()
    for model in models:
        model.warm_up()
    return Release(models, number)


def decode_image(data: bytes, model: Predictor, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Decode an image as the model takes it; safe in several threads at once.

    Its size is read from its header, before any pixel is decoded.

    Raises:
        RequestError: 400 there is nothing, 413 more than `max_pixels`, 415 it is no image of a
            kind that is read, 422 it is one and damaged.
    """
    with _refusals(data):
        return model.decode(data, max_pixels=max_pixels)


@contextlib.contextmanager
def _refusals(data: bytes) -> Iterator[None]:
    """Turn what is wrong with an image into the refusals of `decode_image`."""
    if not data:
        raise RequestError(400, "the body is empty; send an image's bytes, or a form with a file")
    try:
        yield
    except ImageError as error:
        known = ", ".join(FORMATS)
        match error.kind:
            case "large":
                raise RequestError(413, f"the image has {error}") from None
            case "damaged":
                raise RequestError(422, f"the image is {error}; send it again") from None
            case "unknown":
                problem = f"the {len(data):,} bytes are no image; send one of {known}"
                raise RequestError(415, problem) from None
            case _:
                raise RequestError(415, str(error)) from None


class RequestError(Exception):
    """A request that gets no answer: the client's mistake, or too much at once.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        """Say why, in one line for the client."""
        super().__init__(message)
        self.status = status
