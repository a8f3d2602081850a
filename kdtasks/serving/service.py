"""Answers pictures in threads, and changes the model between two of them."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from kdtasks.edge.model import Prediction
from kdtasks.serving.decoding import decode_picture
from kdtasks.serving.refusal import Refusal
from kdtasks.serving.release import Release

TOP = 5  # classes that an answer names


class Answer(NamedTuple):
    """What came of one picture; the milliseconds are LiteRT's, without decoding."""

    prediction: Prediction
    milliseconds: float
    release: Release

    def to_json(self) -> dict[str, Any]:
        """Give the content of the response; exits count from 1."""
        found, manifest = self.prediction, self.release.manifest
        best = np.argsort(-found.probabilities, kind="stable")[:TOP]
        return {
            "label": found.label,
            "confidence": found.confidence,
            "probabilities": [
                {"label": manifest.class_names[k], "probability": float(found.probabilities[k])}
                for k in best
            ],
            "exit": found.exit_index + 1,
            "exits": manifest.segments,
            "milliseconds": self.milliseconds,
            "model": self.release.describe(),
        }


Observer = Callable[[Answer], None]


class Service:
    """A model behind threads; its release can be changed at any time, and no picture is lost.

    Attributes:
        release: what answers from now on; null before there is one.
        observers: called with every answer, in the thread that gave it; they must be quick.
    """

    def __init__(self, release: Release | None, *, threads: int) -> None:
        """Start with a release that was loaded for as many threads, or without one."""
        self.release = release
        self.observers: list[Observer] = []
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="predict")

    def submit(self, data: bytes) -> Future[Answer]:
        """Have the bytes of a picture answered.

        The future raises Refusal for what cannot be decoded, and where there is no release yet.
        """
        return self._threads.submit(self._answer, data)

    def close(self) -> None:
        """Finish what was submitted, and take no more."""
        self._threads.shutdown(wait=True)

    def _answer(self, data: bytes) -> Answer:
        release = self.release  # the one that also finishes this picture
        if release is None:
            raise Refusal(503, "there is no model yet; try again later")
        pixels = decode_picture(data, release.manifest.input_shape)
        with release.borrow() as model:
            began = time.perf_counter_ns()
            prediction = model.predict(pixels)
            milliseconds = (time.perf_counter_ns() - began) / 1e6
        answer = Answer(prediction, milliseconds, release)
        for observe in self.observers:
            observe(answer)
        return answer
