"""Labels of images that have none: the classes that a teacher finds likeliest."""

import math
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.data.prepared import PreparedDataset
from kdtasks.data.stacked_rows import in_parts, new_array
from kdtasks.data.teacher_images import teacher_images
from kdtasks.learn.teachers.answers import import_answers
from kdtasks.learn.teachers.imported import import_teacher
from kdtasks.learn.teachers.settings import TeacherParams
from kdtasks.learn.teachers.teacher import open_teacher
from kdtasks.tasks.registry import task_of

# Images that are answered at a time, fewer where their logits, float32, take more than the bytes.
_CHUNK, _CHUNK_BYTES = 2048, 128_000_000
# Labels of a split that are held in memory; more are in a file.
_MEMORY_MB = 100


def images_per_batch(dataset: PreparedDataset) -> int:
    """Give how many images a teacher is asked about at a time, so that its logits can be held."""
    shape = task_of(dataset.task).label_shape(dataset.image_shape)
    return max(1, min(_CHUNK, _CHUNK_BYTES // (4 * dataset.num_classes * math.prod(shape))))


def label_by_teacher(
    params: TeacherParams, own_images: Path, dataset: PreparedDataset
) -> dict[str, np.ndarray]:
    """Answer every split of a dataset that has no labels: by split, as labels of its task.

    Pixels that another patch labels stay unlabelled.

    Args:
        params: of an imported teacher or a file of answers.
        own_images: folder of the images as the teacher sees them, as of `write_teacher_images`.

    Raises:
        TeacherError: the teacher does not fit, or cannot answer all images.
    """
    by_split = {}
    chunk = images_per_batch(dataset)
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "teacher"
        if params.source == "logits":
            import_answers(copy, params, dataset)
        else:
            own = teacher_images(own_images, "validation") if params.input.is_own else None
            import_teacher(copy, params, dataset, own)
        opened = open_teacher(copy)
        for split in dataset.teacher_labelled:
            teacher = opened.for_images(dataset.names(split))
            images = teacher.inputs(own_images, split, dataset.images(split))
            waiting = dataset.labels(split)
            labels = by_split[split] = new_array(
                waiting.shape, waiting.dtype, memory_limit_mb=_MEMORY_MB
            )
            labels[...] = waiting
            for start in range(0, len(images), chunk):
                rows = slice(start, start + chunk)
                logits, *_ = teacher.predict(np.asarray(images[rows]), rows)
                waits = labels[rows] == task_of(dataset.task).unanswered
                labels[rows][waits] = logits.argmax(axis=-1)[waits]
    parts = chain.from_iterable(map(in_parts, by_split.values()))
    given = np.unique(np.concatenate([np.unique(part) for part in parts]))
    classes = given[given != dataset.no_label]
    if len(classes) < 2:
        raise TeacherError(
            f"teacher.path: {params.path} answers {dataset.class_names[classes[0]]} to every "
            "image, so there is nothing to learn; check teacher.input, and whether these images "
            "show what it was trained for"
        )
    return by_split
