"""Labels of images that have none: the classes that a teacher finds likeliest."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.data.prepared import PreparedDataset
from kdtasks.data.teacher_images import teacher_images
from kdtasks.learn.teachers.answers import import_answers
from kdtasks.learn.teachers.imported import import_teacher
from kdtasks.learn.teachers.settings import TeacherParams
from kdtasks.learn.teachers.teacher import open_teacher

# Images that are answered at a time.
_CHUNK = 2048


def label_by_teacher(
    params: TeacherParams, own_images: Path, dataset: PreparedDataset
) -> dict[str, np.ndarray]:
    """Answer every split of a dataset that has no labels: by split, int32 [N].

    Args:
        params: of an imported teacher or a file of answers.
        own_images: folder of the images as the teacher sees them, as of `write_teacher_images`.

    Raises:
        TeacherError: the teacher does not fit, or cannot answer all images.
    """
    found = {}
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "teacher"
        if params.source == "logits":
            import_answers(copy, params, dataset)
        else:
            own = teacher_images(own_images, "validation") if params.input.is_own else None
            import_teacher(copy, params, dataset, own)
        opened = open_teacher(copy)
        for split in dataset.answered:
            teacher = opened.about(dataset.names(split))
            images = teacher.seen(own_images, split, dataset.images(split))
            parts = []
            for start in range(0, len(images), _CHUNK):
                rows = slice(start, start + _CHUNK)
                logits, *_ = teacher.answers(np.asarray(images[rows]), rows)
                parts.append(logits.argmax(axis=-1).astype(np.int32))
            found[split] = np.concatenate(parts)
    everything = np.concatenate(list(found.values()))
    if len(np.unique(everything)) < 2:
        raise TeacherError(
            f"teacher.path: {params.path} answers {dataset.class_names[everything[0]]} to every "
            "image, so there is nothing to learn; check teacher.input, and whether these images "
            "show what it was trained for"
        )
    return found
