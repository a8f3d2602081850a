"""Open a teacher's file, whoever wrote it: both Kerases, SavedModel, LiteRT."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from kdtasks.core.errors import TeacherError


@dataclass(frozen=True)
class OpenedNetwork:
    """A network of any origin.

    Attributes:
        batch_size: pictures that every run takes; None where any number will do.
        input_shape: without the batch; None where a size is free.
        output_shape: without the batch.
        run: float32 batch to float32 outputs, and after them the hidden features that were asked
            for.
        parameters: number of weights; None where the format does not tell.
    """

    batch_size: int | None
    input_shape: tuple[int | None, ...]
    output_shape: tuple[int | None, ...]
    run: Callable[[np.ndarray], list[np.ndarray]]
    parameters: int | None


def _refuse_layers(layers: Sequence[str], kind: str, path: Path) -> None:
    if layers:
        raise TeacherError(
            f"targets.features: the teacher {path} is {kind}, which gives no hidden features; "
            "import it as .keras or .h5, or set targets.features to []"
        )


def refuse(found: str, source: str) -> NoReturn:
    """Raise TeacherError for a part of a file that is not known to be harmless.

    Arguments:
        found: the part, to follow "the file holds".
        source: the file.
    """
    raise TeacherError(
        f"{source} holds {found}, which might run code or touch files when loaded; save the "
        "teacher without it, or convert it to a float .tflite file, and import that"
    )
