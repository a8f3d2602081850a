"""Run a bundle on a device: numpy and LiteRT are all it needs.

`kdtasks.edge.load_predictor` opens the folder of a bundle, a `.kdz` file or a bare `.tflite`, and
gives a `Classifier`, which tells the class of an image, or a `Segmenter`, which tells that of every
pixel.
"""

from typing import Any

_FILES = {
    "Classifier": "classifier",
    "Segmenter": "segmenter",
    "Predictor": "predictor",
    "load_predictor": "registry",
}


def __getattr__(name: str) -> Any:
    # Only when asked for: stages that take one file of this package should not depend on all.
    if name in _FILES:
        from importlib import import_module

        return getattr(import_module(f"kdtasks.edge.{_FILES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
