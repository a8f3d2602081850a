"""A bundle that is loaded, tried and ready to answer in several threads at once."""

import contextlib
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.edge.manifest import Manifest
from kdtasks.edge.model import Model


class Release:
    """One version of a model, with an interpreter for every thread.

    Attributes:
        manifest: of the bundle.
        number: of the version in a store; null for a bundle that comes from elsewhere.
    """

    def __init__(self, models: list[Model], number: int | None) -> None:
        """Arguments: `models` are the same bundle, once for every thread."""
        self.manifest: Manifest = models[0].manifest
        self.number = number
        self._idle: queue.SimpleQueue[Model] = queue.SimpleQueue()
        for model in models:
            self._idle.put(model)

    @contextlib.contextmanager
    def borrow(self) -> Iterator[Model]:
        """Lend a model to one thread."""
        model = self._idle.get()
        try:
            yield model
        finally:
            self._idle.put(model)

    def describe(self) -> dict[str, Any]:
        """Say which model it is, as answers and `/health` do."""
        return {
            "name": self.manifest.name,
            "variant": self.manifest.variant,
            "version": self.number,
            "sha256": self.manifest.sha256,
        }


def load_release(bundle: Path, *, threads: int, number: int | None = None) -> Release:
    """Load a bundle, run its self-test if it has one, and warm every interpreter up.

    Arguments:
        bundle: folder, `.kdz` or `.tflite`.
        threads: interpreters, each with one thread of LiteRT.

    Raises:
        BundleError: it is damaged, or does not answer as it did where it was made.
    """
    models = [Model(bundle) for _ in range(threads)]
    if models[0].manifest.self_test is not None:
        models[0].self_test()
    for model in models:
        # LiteRT sets a segment up when it first runs
        model.segments.logits(np.zeros(model.segments.input_shape, np.uint8))
    return Release(models, number)
