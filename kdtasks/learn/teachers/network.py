"""Open a teacher's network, of whatever format, and run it on raw pixels."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.errors import TeacherError, shortened
from kdtasks.core.safe_files import unsafe_below, why_unsafe
from kdtasks.data.folders import visible_entries
from kdtasks.learn.teachers.formats import OpenedNetwork, TeacherFormat, teacher_formats
from kdtasks.learn.teachers.preprocessing import Preprocessing


def _formats() -> list[TeacherFormat]:
    return [kind.model_validate({}) for kind in teacher_formats]


def format_of(path: Path) -> TeacherFormat:
    """Find the format of a file or folder.

    Raises:
        TeacherError: it is missing, or of none.
    """
    if not path.exists():
        raise TeacherError(f"teacher.path: {path} not found; give the file of the teacher")
    for known in _formats():
        if known.matches(path):
            return known
    raise TeacherError(
        f"teacher.path: {path} is of no known format; give one of "
        f"{', '.join(known.files for known in _formats())}; a network of PyTorch: "
        "`torch.onnx.export`"
    )


def network_in(path: Path) -> Path:
    """Find the network that `teacher.path` means: the path itself, or the only one in a folder.

    Raises:
        TeacherError: there are several, or it is a link.
    """

    def is_network(path: Path) -> bool:
        return any(known.matches(path) for known in _formats())

    if not path.is_dir() or is_network(path):
        return path
    inside = [entry for entry in visible_entries(path) if is_network(entry)]
    for entry in inside:
        if kind := why_unsafe(entry):
            raise TeacherError(
                f"teacher.path: {entry} is {kind}; give the path of what it stands for"
            )
    if len(inside) > 1:
        raise TeacherError(
            f"teacher.path: the folder {path} holds {len(inside)} networks "
            f"({', '.join(entry.name for entry in inside)}); give the path of one"
        )
    return inside[0] if inside else path


def open_network(path: Path, *, layers: Sequence[str] = ()) -> OpenedNetwork:
    """Open a file without running any code from it.

    Args:
        layers: hidden layers whose features it gives besides.

    Raises:
        TeacherError: the file is missing, damaged, of an unknown kind, unsafe, a folder of other
            things than files and folders, has several inputs
            or outputs, has no such layer, or is of a kind that gives no features.
    """
    matching = format_of(path)
    if path.is_dir() and (found := unsafe_below(path)):
        raise TeacherError(
            f"teacher.path: {path} holds {found}; a teacher has files and folders alone: copy it "
            "with what they stand for (`cp -rL`), if that is yours to give away"
        )
    if layers and not matching.gives_features:
        better = " or ".join(known.files for known in _formats() if known.gives_features)
        raise TeacherError(
            f"targets.features: the teacher {path} is of the format {matching.name}, which gives "
            f"no hidden features; import it as {better}, or set targets.features to []"
        )
    try:
        return matching.open(path, layers)
    except (TeacherError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # a damaged file may fail in any way inside its reader
        reason = shortened(str(error))
        begins = f": it is a text file that begins with {text!r}" if (text := _text(path)) else ""
        raise TeacherError(
            f"teacher.path: {path} could not be opened ({type(error).__name__}: {reason}){begins}; "
            "check that the file is complete, or save the teacher anew"
        ) from error


def _text(path: Path) -> str:
    """The first line of a file that is text, such as a page that says that it was not found."""
    if not path.is_file():
        return ""
    with path.open("rb") as file, suppress(UnicodeDecodeError):
        line = file.read(200).decode().strip().partition("\n")[0].strip()
        return line[:40] if line.isprintable() else ""
    return ""


def run_in_batches(
    network: OpenedNetwork, images: Any, preprocessing: Preprocessing, *, batch_size: int = 256
) -> list[np.ndarray]:
    """Scale raw pixels and run the network: outputs float32 [N, …, classes], then features."""
    size = network.batch_size or batch_size
    passes = []
    for start in range(0, len(images), size):
        batch = preprocessing.apply(images[start : start + size])
        if network.batch_size:
            batch = np.resize(batch, (size, *batch.shape[1:]))  # fills the last one up
        passes.append(network.run(batch))
    return [np.concatenate(parts)[: len(images)] for parts in zip(*passes, strict=True)]
