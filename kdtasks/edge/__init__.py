"""Run a bundle on a device: numpy and LiteRT are all it needs.

`kdtasks.edge.Model` classifies pictures, `kdtasks.edge.Segmenter` tells the class of every pixel.
Either opens the folder of a bundle, a `.kdz` file or a bare `.tflite`.
"""

from typing import Any

_FILES = {"Model": "classifier", "Segmenter": "segmenter"}


def __getattr__(name: str) -> Any:
    # Only when asked for: stages that take one file of this package should not depend on all.
    if name in _FILES:
        from importlib import import_module

        return getattr(import_module(f"kdtasks.edge.{_FILES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
