"""The teacher's targets: augmented views and its logits on them, computed once for everybody."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdtasks.atomic import atomic_folder, write_json
from kdtasks.errors import TeacherError
from kdtasks.params.data import AugmentationParams
from kdtasks.training.accuracy import accuracy
from kdtasks.training.examples import TrainingExamples
from kdtasks.training.views import count_views, draw_view

if TYPE_CHECKING:
    from kdtasks.teachers.teacher import Teacher


def write_targets(
    folder: Path,
    teacher: "Teacher",
    *,
    images: Any,
    labels: Any,
    augmentation: AugmentationParams,
    num_classes: int,
    ignore_label: int | None = None,
) -> dict[str, Any]:
    """Draw every view, run the teacher on it and write both, a view at a time.

    Arguments:
        images: uint8 [N, height, width, channels], the training split.
        labels: integers [N] or masks [N, height, width].
        ignore_label: label that is left out of the teacher's agreement with the labels.

    Returns:
        the content of `targets.json`.

    Raises:
        TeacherError: a logit is not finite, or does not fit into float16.
    """
    views = count_views(augmentation)
    logits_shape = (views, *labels.shape, num_classes)
    _foresee(views * images.nbytes, 2 * int(np.prod(logits_shape)))
    agreement = []
    with atomic_folder(folder) as partial:
        view_file = _create(partial / "views.npy", np.uint8, (views, *images.shape))
        label_file = _create(partial / "labels.npy", labels.dtype, (views, *labels.shape))
        logits_file = _create(partial / "logits.npy", np.float16, logits_shape)
        for view in range(views):
            moved, moved_labels = draw_view(images, labels, view=view, augmentation=augmentation)
            logits = teacher.logits(moved)
            _check_range(logits)
            view_file[view], label_file[view], logits_file[view] = moved, moved_labels, logits
            agreement.append(accuracy(logits.argmax(axis=-1), moved_labels, ignore_label))
            print(f"view {view + 1}/{views}: the teacher agrees with {agreement[-1]:.2%} of labels")
        for file in (view_file, label_file, logits_file):
            file.flush()
        summary = {
            "views": views,
            "pictures": len(images),
            "classes": num_classes,
            "agreement": agreement,
        }
        write_json(partial / "targets.json", summary)
    return summary


def open_targets(folder: Path) -> TrainingExamples:
    """Open the targets, memory-mapped.

    Raises:
        TeacherError: the folder is incomplete.
    """
    for name in ("targets.json", "views.npy", "labels.npy", "logits.npy"):
        if not (folder / name).is_file():
            raise TeacherError(f"{folder} holds no {name}; run `dvc repro targets`")
    return TrainingExamples(
        images=np.load(folder / "views.npy", mmap_mode="r"),
        labels=np.load(folder / "labels.npy", mmap_mode="r"),
        teacher_logits=np.load(folder / "logits.npy", mmap_mode="r"),
    )


def _create(path: Path, dtype: Any, shape: tuple[int, ...]) -> np.memmap:
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _check_range(logits: np.ndarray) -> None:
    if not np.isfinite(logits).all():
        raise TeacherError(
            "the teacher's logits are not all finite; look at its weights, and at the range of "
            "its input"
        )
    largest = np.abs(logits).max()
    if largest > np.finfo(np.float16).max:
        raise TeacherError(
            f"the teacher's logits reach {largest:g}; targets are stored as float16, which holds "
            "up to 65,504: scale the teacher's last layer down"
        )


def _foresee(view_bytes: int, logits_bytes: int) -> None:
    print(
        f"targets take {view_bytes / 1e6:,.1f} MB of views, {logits_bytes / 1e6:,.1f} MB of logits"
    )
