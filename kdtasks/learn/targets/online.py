"""An online teacher: asked about every view that the student sees, in the epoch that it does."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.core.files import atomic_folder
from kdtasks.core.records.data import Features, Targets
from kdtasks.learn.training.views import AugmentationParams, FreshExamples

DESCRIPTION = "targets.json"
_TEACHER = "teacher"
_LARGEST = float(np.finfo(np.float16).max)


def write_online(
    folder: Path,
    teacher: Path,
    *,
    images: Any,
    augmentation: AugmentationParams,
    batch_size: int,
    layers: Sequence[str] = (),
) -> Targets:
    """Write a copy of the teacher, and how it is to be asked; it answers to one image for a try.

    Students then depend on this folder alone, whether the answers in it are cached or not.

    Args:
        folder: where to write.
        teacher: what the stage `teacher` wrote.
        images: uint8 [N, height, width, channels], the training split.
        batch_size: images a teacher pass.
        layers: hidden layers of the teacher whose features it gives.

    Returns:
        the content of `targets.json`.

    Raises:
        TeacherError: the teacher has no such layer, or its answer is no good.
    """
    from kdtasks.learn.teachers.teacher import open_teacher

    opened = open_teacher(teacher, batch_size=batch_size, layers=layers)
    _, *features = as_halves(opened.run(np.asarray(images[:1])), layers)
    targets = Targets(
        mode="online",
        augmentation=augmentation.model_dump(mode="json"),
        batch_size=batch_size,
        images=len(images),
        features=tuple(
            Features(layer=layer, shape=array.shape[1:])
            for layer, array in zip(layers, features, strict=True)
        ),
    )
    with atomic_folder(folder) as partial:
        shutil.copytree(teacher, partial / _TEACHER, copy_function=shutil.copyfile)
        targets.write(partial / DESCRIPTION)
    print("the teacher will run beside the students, on a new view of every image each epoch")
    return targets


def open_online(
    folder: Path,
    targets: Targets,
    images: Any,
    labels: Any,
    *,
    seed: int,
    layers: Sequence[str] = (),
) -> FreshExamples:
    """Open the teacher of a folder that `write_online` wrote.

    The teacher is no part of the student's network, so its variables are not trained.

    Args:
        targets: the content of `targets.json`.
        images: uint8 [N, height, width, channels], the training split.
        labels: integers [N] or masks [N, height, width].
        seed: the student's.
        layers: hidden layers whose features it gives.
    """
    from kdtasks.learn.teachers.teacher import open_teacher

    assert targets.batch_size is not None  # `write_online` says it
    teacher = open_teacher(folder / _TEACHER, batch_size=targets.batch_size, layers=layers)
    return FreshExamples(
        images,
        labels,
        AugmentationParams.model_validate(targets.augmentation),
        seed,
        answer=lambda views: as_halves(teacher.run(views), layers),
    )


def as_halves(answers: Sequence[np.ndarray], layers: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Return logits and hidden features, float32 [N, …], as float16.

    Args:
        answers: the logits, and the features of each layer.
        layers: names of the layers, for the message.

    Raises:
        TeacherError: a number is not finite, or beyond 65,504.
    """
    for name, answer in zip(("logits", *layers), answers, strict=True):
        what = name if name == "logits" else f"features of {name}"
        # One pass over the array: NaN makes both ends NaN, infinity one of them infinite.
        largest = max(-float(answer.min()), float(answer.max()))
        if not np.isfinite(largest):
            raise TeacherError(
                f"the teacher's {what} are not all finite; look at its weights, and at the range "
                "of its input"
            )
        if largest > _LARGEST:
            raise TeacherError(
                f"the teacher's {what} reach {largest:g}; targets are stored as float16, which "
                "holds up to 65,504: scale the teacher's last layer down"
                if name == "logits"
                else f"the teacher's {what} reach {largest:g}; targets are stored as float16, "
                "which holds up to 65,504: name a layer behind a normalisation"
            )
    return tuple(answer.astype(np.float16) for answer in answers)
