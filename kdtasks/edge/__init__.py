"""Run a bundle on a device: numpy and LiteRT are all it needs.

`kdtasks.edge.Model(bundle)` opens a folder, a `.kdz` file or a bare `.tflite` and classifies
pictures.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # Only when asked for: stages that take one file of this package should not depend on all.
    if name == "Model":
        from importlib import import_module

        return import_module("kdtasks.edge.model").Model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
