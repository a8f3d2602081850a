"""Kinds of files that a teacher comes in, one a module, and more in a project's `extensions/`."""

from abc import abstractmethod
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.core.registry import Registry
from kdtasks.core.settings import Section

# Describes the teacher in its folder, where it is an ensemble or an imported one.
DESCRIPTION = "teacher.json"


@dataclass(frozen=True)
class OpenedNetwork:
    """A network of any origin.

    Attributes:
        batch_size: images that every run takes; None where any number will do.
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

    @classmethod
    def of_shapes(
        cls, inputs: Any, outputs: Any, run: Callable[..., list[np.ndarray]], parameters: int | None
    ) -> Self:
        """Make it of whole shapes, in which the batch comes first."""
        return cls(inputs[0], tuple(inputs[1:]), tuple(outputs[1:]), run, parameters)


class TeacherFormat(Section):
    """A kind of file, or of folder, that holds a network.

    Attributes:
        endings: of the names of such files, in lower case.
        gives_features: whether hidden layers can be looked at.
        uses_tensorflow: whether TensorFlow runs it, which takes long to import.
        scaling: how such networks take pixels, as of `teacher.input`; None: each in its own way.
    """

    endings: ClassVar[tuple[str, ...]] = ()
    gives_features: ClassVar[bool] = False
    uses_tensorflow: ClassVar[bool] = False
    scaling: ClassVar[str | None] = None

    name: str

    @property
    def files(self) -> str:
        """What such files are called, for messages."""
        return ", ".join(f"`{ending}`" for ending in self.endings)

    def matches(self, path: Path) -> bool:
        """Whether a path is of this kind, by its name or by what the folder holds."""
        return path.is_file() and path.suffix.lower() in self.endings

    @abstractmethod
    def open(self, path: Path, layers: Sequence[str]) -> OpenedNetwork:
        """Open a file without running any code from it.

        Args:
            layers: names of hidden layers whose features it gives besides; none where
                `gives_features` is false.

        Raises:
            TeacherError: it is unsafe, has no such layer, or not one input and one output. Anything
                else that is raised means a damaged file.
        """


teacher_formats = Registry("teacher format", __name__, TeacherFormat)


def require_one_of_each(path: Path, inputs: Sized, outputs: Sized) -> None:
    """Refuse a network that has not one input and one output."""
    if len(inputs) != 1 or len(outputs) != 1:
        raise TeacherError(
            f"teacher.path: {path} has {len(inputs)} inputs and {len(outputs)} outputs; a teacher "
            "has one of each"
        )


def refuse(part: str, source: str) -> NoReturn:
    """Raise TeacherError for a part of a file that is not known to be harmless.

    Args:
        part: to follow "the file holds".
        source: the file.
    """
    raise TeacherError(
        f"{source} holds {part}, which might run code or touch files when loaded; save the "
        "teacher without it, or convert it to a float .tflite file, and import that"
    )
