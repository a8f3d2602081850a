"""Take a teacher from a file: check that it fits, find out how it wants its images."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from kdtasks.core.errors import TeacherError
from kdtasks.core.files import atomic_folder, write_json
from kdtasks.core.settings import Count, Index, Positive, Section
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.networks import Architecture, architectures
from kdtasks.learn.teachers.formats import (
    DESCRIPTION,
    OpenedNetwork,
    TeacherFormat,
    teacher_formats,
)
from kdtasks.learn.teachers.trained_on import check_overlap
from kdtasks.tasks.confusion import accuracy, counted

# Input range to (scale, offset) of raw pixels 0…255.
INPUT_RANGES: dict[str, tuple[float, float]] = {
    "raw": (1.0, 0.0),
    "unit": (1 / 255, 0.0),
    "symmetric": (1 / 127.5, -1.0),
}

_PROBE = 500

_Shape = tuple[int | None, ...]

# Rows of probabilities add up to 1 within float16's precision over a thousand classes.
_SUM_TOLERANCE = 1e-2


class TeacherParams(Section):
    """The teacher: trained here, imported as a network, or a file of answers of any model."""

    source: Literal["train", "import", "logits"] = Field(
        description="`train` it here, `import` a network from a file, or take `logits` (or "
        "probabilities) that any other model gave to the images"
    )
    path: str = Field(
        default="models/import",
        description="file or folder of an imported teacher, of any teacher format; or of answers: "
        "`.npz`, `.csv`, `.parquet`, or a folder with one of them or with an `.npy` and its "
        "`.names.txt`. DVC watches it, so it must exist; a trained teacher leaves it alone",
    )
    output: Literal["auto", "logits", "probabilities"] = Field(
        default="auto",
        description="what an imported teacher, or a file of answers, gives; `auto` looks at it",
    )
    input: Literal["auto", "raw", "unit", "symmetric"] = Field(
        default="auto",
        description="what an imported teacher takes: 0…255, 0…1 or −1…1; `auto` takes the one "
        "with the best validation accuracy",
    )
    model: Annotated[Architecture, architectures] | None = Field(
        default=None, description="network of a trained teacher"
    )
    epochs: Count = Field(default=20, description="epochs of a trained teacher")
    stop_epoch: Count | None = Field(
        default=None, description="stop the trained teacher after so many of its `epochs`"
    )
    ensemble: Count = Field(
        default=1, description="trained teachers that are averaged, with seeds from `seed` upwards"
    )
    learning_rate: Positive = Field(default=1e-3, description="highest learning rate")
    seed: Index = Field(default=0, description="seed of a trained teacher")

    @model_validator(mode="after")
    def _source_is_complete(self) -> "TeacherParams":
        if self.source == "train" and self.model is None:
            raise ValueError("model is null; a trained teacher needs a network of the zoo")
        if self.source != "train" and (self.stop_epoch is not None or self.ensemble > 1):
            raise ValueError(
                "stop_epoch and ensemble are for teachers that are trained here; with source "
                f"{self.source} set stop_epoch: null and ensemble: 1, got {self.stop_epoch} and "
                f"{self.ensemble}"
            )
        if self.stop_epoch is not None and self.stop_epoch > self.epochs:
            raise ValueError(
                f"stop_epoch is {self.stop_epoch}, epochs {self.epochs}; stop at the last epoch or "
                "before it"
            )
        return self


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
        f"{', '.join(known.files for known in _formats())}"
    )


def open_network(path: Path, *, layers: Sequence[str] = ()) -> OpenedNetwork:
    """Open a file without running any code from it.

    Args:
        layers: hidden layers whose features it gives besides.

    Raises:
        TeacherError: the file is missing, damaged, of an unknown kind, unsafe, has several inputs
            or outputs, has no such layer, or is of a kind that gives no features.
    """
    matching = format_of(path)
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
        reason = " ".join(str(error).split())[:300]
        raise TeacherError(
            f"teacher.path: {path} could not be opened ({type(error).__name__}: {reason}); check "
            "that the file is complete, or save the teacher anew"
        ) from error


def import_teacher(folder: Path, params: TeacherParams, dataset: PreparedDataset) -> None:
    """Check the teacher's file against the validation split and copy it into `folder`.

    Raises:
        TeacherError: its input shape or number of classes does not fit, its outputs are not
            finite, or it was trained on images of another split than train.
    """
    source, ignore_label = Path(params.path), dataset.ignore_label
    images, labels = dataset.images("validation"), dataset.labels("validation")
    network = open_network(source)
    _check_shape(
        f"{source} takes images of",
        network.input_shape,
        images.shape[1:],
        "; set data.image_size and data.channels to the teacher's",
    )
    _check_shape(
        f"{source} has outputs",
        network.output_shape,
        (*labels.shape[1:], dataset.num_classes),
        ", the last being its classes; they must be the same, in the order of class_names in "
        "data/prepared/dataset.json",
    )
    check_overlap(source, dataset)
    probe, truth = np.asarray(images[:_PROBE]), np.asarray(labels[:_PROBE])
    ranges = [params.input] if params.input != "auto" else list(INPUT_RANGES)
    outputs = {name: run_in_batches(network, probe, name)[0] for name in ranges}
    chosen = ranges[0]
    if params.input == "auto":
        accuracies = {
            name: round(accuracy(found.argmax(axis=-1), truth, ignore_label), 6)
            for name, found in outputs.items()
        }
        chosen = max(ranges, key=lambda name: accuracies[name])
        tried = ", ".join(f"{name} {reached:.1%}" for name, reached in accuracies.items())
        print(f"input range {chosen} (validation accuracy by range: {tried})")
        _check_better_than_guessing(accuracies[chosen], truth[counted(truth, ignore_label)], source)
    if not np.isfinite(outputs[chosen]).all():
        raise TeacherError(
            f"the outputs of {source} include numbers that are not finite; look at its weights"
        )
    output = params.output
    if output == "auto":
        output = "probabilities" if are_probabilities(outputs[chosen]) else "logits"
        print(f"teacher output: {output}")
    elif output == "probabilities" and not are_probabilities(outputs[chosen]):
        raise TeacherError(
            f"teacher.output is probabilities, but the output rows of {source} do not add up "
            "to 1; set it to logits or auto"
        )
    name = f"teacher{source.suffix.lower()}" if source.is_file() else format_of(source).name
    copy = shutil.copyfile if source.is_file() else shutil.copytree
    content = {"file": name, "input": chosen, "output": output, "parameters": network.parameters}
    with atomic_folder(folder) as partial:
        copy(source, partial / name)
        write_json(partial / DESCRIPTION, content)


def _check_better_than_guessing(reached: float, labels: np.ndarray, source: Path) -> None:
    guess, is_better = beats_guessing(reached, labels)
    if not is_better:
        raise TeacherError(
            f"the teacher {source} gets {reached:.1%} of the validation split right, and "
            f"always predicting the most common class {guess:.1%}; check that "
            "its classes are in the order of class_names in data/prepared/dataset.json and that it "
            "takes pixels as 0…255, 0…1 or "
            "−1…1, or set teacher.input to import it anyway"
        )


def beats_guessing(reached: float, labels: np.ndarray) -> tuple[float, bool]:
    """Give the accuracy of always predicting the most common class, and whether it is exceeded.

    Args:
        reached: the accuracy on `labels`, 0 … 1.
    """
    guess = float(np.unique(labels, return_counts=True)[1].max() / labels.size)
    # Three standard errors: an untrained teacher is above its best guess by luck half the time.
    return guess, reached > guess + 3 * (guess * (1 - guess) / labels.size) ** 0.5


def run_in_batches(
    network: OpenedNetwork, images: Any, input_range: str, *, batch_size: int = 256
) -> list[np.ndarray]:
    """Scale raw pixels and run the network: outputs float32 [N, …, classes], then features."""
    scale, offset = (np.float32(number) for number in INPUT_RANGES[input_range])
    size = network.batch_size or batch_size
    passes = []
    for start in range(0, len(images), size):
        batch = images[start : start + size] * scale + offset
        if network.batch_size:
            batch = np.resize(batch, (size, *batch.shape[1:]))  # fills the last one up
        passes.append(network.run(batch))
    return [np.concatenate(parts)[: len(images)] for parts in zip(*passes, strict=True)]


def _check_shape(what: str, found: _Shape, wanted: _Shape, advice: str) -> None:
    """Refuse a teacher whose shape is not the dataset's; None fits any size."""
    pairs = zip(found, wanted, strict=False)
    if len(found) != len(wanted) or any(size not in (None, number) for size, number in pairs):
        raise TeacherError(
            f"the teacher {what} {_shape(found)}, the dataset has {_shape(wanted)}{advice}"
        )


def _shape(sizes: _Shape) -> str:
    return "×".join("any" if size is None else str(size) for size in sizes)


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether every row is a probability distribution; logits of many rows never all are.

    Args:
        outputs: float [N, …, classes].
    """
    sums = outputs.sum(axis=-1)
    return bool((outputs >= 0).all() and (np.abs(sums - 1.0) < _SUM_TOLERANCE).all())


def to_logits(probabilities: np.ndarray) -> np.ndarray:
    """Return log p, whose softmax is p again: nothing is softened twice.

    A probability that underflowed to 0 becomes the logarithm of the smallest float32, about −87.
    """
    return np.log(np.maximum(probabilities.astype(np.float32), np.finfo(np.float32).tiny))
