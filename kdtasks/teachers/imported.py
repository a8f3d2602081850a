"""Take a teacher from a file: check that it fits, find out how it wants its pictures."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.atomic import atomic_folder, write_json
from kdtasks.errors import TeacherError
from kdtasks.params.training import TeacherParams
from kdtasks.teachers.formats import OpenedNetwork, open_network
from kdtasks.teachers.outputs import are_probabilities
from kdtasks.training.accuracy import accuracy, counted

DESCRIPTION = "teacher.json"

# Input range to (scale, offset) of raw pixels 0…255.
INPUT_RANGES: dict[str, tuple[float, float]] = {
    "raw": (1.0, 0.0),
    "unit": (1 / 255, 0.0),
    "symmetric": (1 / 127.5, -1.0),
}
_PROBE = 500


def import_teacher(
    folder: Path,
    params: TeacherParams,
    *,
    images: Any,
    labels: Any,
    num_classes: int,
    ignore_label: int | None = None,
) -> None:
    """Check the teacher's file against the dataset and copy it into `folder`.

    Arguments:
        images: uint8 [N, height, width, channels], the validation split.
        labels: integers [N] or [N, height, width].

    Raises:
        TeacherError: its input shape or number of classes does not fit, or its outputs are not
            finite.
    """
    source = Path(params.path)
    network = open_network(source)
    _check_shapes(network, images.shape[1:], (*labels.shape[1:], num_classes), source)
    probe, truth = np.asarray(images[:_PROBE]), np.asarray(labels[:_PROBE])
    ranges = [params.input] if params.input != "auto" else list(INPUT_RANGES)
    accuracies, outputs = {}, {}
    for name in ranges:
        outputs[name] = run_in_batches(network, probe, name)[0]
        accuracies[name] = accuracy(outputs[name].argmax(axis=-1), truth, ignore_label)
    chosen = max(ranges, key=lambda name: accuracies[name])
    if params.input == "auto":
        tried = ", ".join(f"{name} {share:.1%}" for name, share in accuracies.items())
        print(f"input range {chosen} (validation accuracy by range: {tried})")
        _check_better_than_guessing(accuracies[chosen], truth[counted(truth, ignore_label)], source)
    if not np.isfinite(outputs[chosen]).all():
        raise TeacherError(f"{source} puts out numbers that are not finite; look at its weights")
    output = params.output
    if output == "auto":
        output = "probabilities" if are_probabilities(outputs[chosen]) else "logits"
        print(f"the teacher puts out {output}")
    elif output == "probabilities" and not are_probabilities(outputs[chosen]):
        raise TeacherError(
            f"teacher.output is probabilities, but the rows that {source} puts out do not add up "
            "to 1; set it to logits or auto"
        )
    name = f"teacher{source.suffix.lower()}" if source.is_file() else "saved_model"
    with atomic_folder(folder) as partial:
        if source.is_file():
            shutil.copyfile(source, partial / name)
        else:
            shutil.copytree(source, partial / name)
        write_json(
            partial / DESCRIPTION,
            {"file": name, "input": chosen, "output": output, "parameters": network.parameters},
        )


def _check_better_than_guessing(reached: float, labels: np.ndarray, source: Path) -> None:
    guess = np.unique(labels, return_counts=True)[1].max() / labels.size
    # Three standard errors: an untrained teacher is above its best guess by luck half the time.
    if reached <= guess + 3 * (guess * (1 - guess) / labels.size) ** 0.5:
        raise TeacherError(
            f"the teacher {source} gets {reached:.1%} of the validation split right, naming always "
            f"the commonest class gets {guess:.1%}; check that its classes are in the order of "
            "class_names in data/prepared/dataset.json and that it takes pixels as 0…255, 0…1 or "
            "−1…1, or set teacher.input to go on all the same"
        )


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


def _check_shapes(
    network: OpenedNetwork,
    image_shape: tuple[int, ...],
    logits_shape: tuple[int, ...],
    source: Path,
) -> None:
    if not _fits(network.input_shape, image_shape):
        raise TeacherError(
            f"the teacher {source} takes pictures of {_shape(network.input_shape)}, the dataset "
            f"has {_shape(image_shape)}; set data.image_size and data.channels to the teacher's"
        )
    if not _fits(network.output_shape, logits_shape):
        raise TeacherError(
            f"the teacher {source} has outputs {_shape(network.output_shape)}, the dataset has "
            f"{_shape(logits_shape)}, the last being its classes; they must be the same, in the "
            "order of class_names in data/prepared/dataset.json"
        )


def _fits(sizes: tuple[int | None, ...], given: tuple[int, ...]) -> bool:
    return len(sizes) == len(given) and all(
        size in (None, number) for size, number in zip(sizes, given, strict=True)
    )


def _shape(sizes: tuple[int | None, ...]) -> str:
    return "×".join("any" if size is None else str(size) for size in sizes)
