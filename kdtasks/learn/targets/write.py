"""Ask the teacher about every view, or put it beside the students."""

import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.errors import ParamsError, TeacherError
from kdtasks.core.files import atomic_folder
from kdtasks.core.records.data import Features, Targets
from kdtasks.data.labels import TrainingSet
from kdtasks.data.stacked_rows import new_file
from kdtasks.learn.augmentations.mixing import Mixing, first_labels
from kdtasks.learn.targets.files import DESCRIPTION, KEPT, TEACHER
from kdtasks.learn.targets.precision import to_float16
from kdtasks.learn.teachers.confidence import Confidence
from kdtasks.learn.teachers.teacher import Teacher, open_teacher
from kdtasks.learn.training.examples import index_type, pack_top_k
from kdtasks.learn.training.resized_views import view_in_batches
from kdtasks.learn.training.views import AugmentationParams, count_views, fill_view, labels_of
from kdtasks.tasks.confusion import counted

# Answers, float32, that are held in memory at a time.
_CHUNK_BYTES = 128_000_000


def write_targets(
    folder: Path,
    teacher: Teacher,
    training: TrainingSet,
    *,
    augmentation: AugmentationParams,
    layers: Sequence[str] = (),
    top_k: int | None = None,
    confidence: Confidence | None = None,
) -> Targets:
    """Draw every view, run the teacher on it and write both, a view at a time.

    Args:
        teacher: opened with `layers`, and bound to the images of `training` (`Teacher.for_images`).
        training: what the teacher is asked about.
        layers: hidden layers of the teacher whose features are kept.
        top_k: as `top` of `pack_top_k`; None keeps the logits of all classes.
        confidence: of the images without a label, all of them; None where there are none.

    Returns:
        the content of `targets.json`.

    Raises:
        ParamsError: `top_k` are not fewer than the classes.
        TeacherError: an answer is not finite or does not fit into float16, or the disk has no room.
    """
    images, labels = training.images, training.labels
    # of mixed images the numbers of both, since a student may not see the label of either
    is_mixed = labels.ndim == 1 and bool(augmentation.of_kind(Mixing))
    drawn_from = labels_of(np.arange(len(labels)) if is_mixed else labels, augmentation)
    views = count_views(augmentation)
    first = images[:1] if training.teacher_inputs is None else training.teacher_inputs[np.arange(1)]
    probe = teacher.predict(np.asarray(first), slice(1))
    num_classes = probe[0].shape[-1]
    if top_k is not None and top_k >= num_classes:
        raise ParamsError(
            f"targets.top_k is {top_k}, the dataset has {num_classes} classes; give "
            f"1 to {num_classes - 1}, or null to keep them all"
        )
    chunk = max(1, _CHUNK_BYTES // sum(answer.nbytes for answer in probe))

    def shown(view: int) -> Iterator[tuple[Any, np.ndarray]]:
        """Yield rows of a view, and their images as the teacher sees them."""
        if training.teacher_inputs is not None:
            size = (images.shape[1], images.shape[2])
            yield from view_in_batches(
                training.teacher_inputs, drawn_from, view=view, augmentation=augmentation, size=size
            )
            return
        for start in range(0, len(images), chunk):
            yield slice(start, start + chunk), view_file[view, start : start + chunk]

    # What a file holds, and type and shape of one view of it.
    files: dict[str, tuple[str, Any, tuple[int, ...]]] = {
        "views.npy": ("views", np.uint8, images.shape),
        "labels.npy": ("masks" if labels.ndim > 1 else "", drawn_from.dtype, labels.shape),
    }
    if top_k is None:
        files["logits.npy"] = ("logits", np.float16, (*labels.shape, num_classes))
    else:
        kept = (*labels.shape, top_k)
        files["top_logits.npy"] = ("logits", np.float16, (*labels.shape, top_k + 1))
        files["top_k.npy"] = ("their classes", index_type(num_classes), kept)
    features = tuple(
        Features(layer=layer, shape=answer.shape[1:], file=f"features-{index}.npy")
        for index, (layer, answer) in enumerate(zip(layers, probe[1:], strict=True))
    )
    for feature in features:
        shape = (len(images), *feature.shape)
        files[str(feature.file)] = (f"features of {feature.layer}", np.float16, shape)
    sizes = [
        (what, views * np.dtype(kind).itemsize * math.prod(shape))
        for what, kind, shape in files.values()
    ]
    _check_space(folder, sizes)
    agreement = []
    with atomic_folder(folder) as partial:
        view_file, label_file, *target_files = (
            new_file(partial / name, (views, *shape), kind)
            for name, (_, kind, shape) in files.items()
        )
        for view in range(views):
            drawn, right, total = (view_file[view], label_file[view]), 0, 0
            fill_view(drawn, images, drawn_from, view=view, augmentation=augmentation)
            for rows, inputs in shown(view):
                answers = teacher.predict(inputs, rows)
                halves = to_float16(answers, layers)
                truth = np.asarray(label_file[view, rows])
                truth = labels[first_labels(truth)] if is_mixed else truth
                counts = counted(truth, training.no_label)
                right += int(((halves[0].argmax(axis=-1) == truth) & counts).sum())
                total += int(counts.sum())
                if top_k is not None:
                    halves = (*pack_top_k(answers[0], top_k), *halves[1:])
                for file, answer in zip(target_files, halves, strict=True):
                    file[view, rows] = answer
            agreement.append(round(right / total if total else math.nan, 6))
            what = "its answers to them as they are" if training.is_teacher_labelled else "labels"
            print(f"view {view + 1}/{views}: the teacher agrees with {agreement[-1]:.2%} of {what}")
        for file in (view_file, label_file, *target_files):
            file.flush()
        targets = Targets(
            mode="cached",
            views=views,
            images=len(images),
            classes=num_classes,
            agreement=tuple(agreement),
            features=features,
            top_k=top_k,
            unlabelled=confidence.record if confidence else None,
        )
        _write_description(partial, targets, confidence)
    return targets


def write_online(
    folder: Path,
    teacher: Path,
    *,
    images: Any,
    augmentation: AugmentationParams,
    batch_size: int,
    layers: Sequence[str] = (),
    confidence: Confidence | None = None,
) -> Targets:
    """Write a copy of the teacher, and how it is to be asked; it answers to one image for a try.

    Students then depend on this folder alone, whether the answers in it are cached or not.

    Args:
        folder: where to write.
        teacher: what the stage `teacher` wrote.
        images: uint8 [N, height, width, channels], what the teacher is asked about, as it sees it.
        batch_size: images a teacher pass.
        layers: hidden layers of the teacher whose features it gives.
        confidence: as of `write_targets`.

    Returns:
        the content of `targets.json`.

    Raises:
        TeacherError: the teacher has no such layer, or its answer is no good.
    """
    opened = open_teacher(teacher, batch_size=batch_size, layers=layers)
    _, *features = to_float16(opened.run(np.asarray(images[np.arange(1)])), layers)
    targets = Targets(
        mode="online",
        augmentation=augmentation.model_dump(mode="json"),
        batch_size=batch_size,
        images=len(images),
        features=tuple(
            Features(layer=layer, shape=array.shape[1:])
            for layer, array in zip(layers, features, strict=True)
        ),
        unlabelled=confidence.record if confidence else None,
    )
    with atomic_folder(folder) as partial:
        shutil.copytree(teacher, partial / TEACHER, copy_function=shutil.copyfile)
        _write_description(partial, targets, confidence)
    print("online teacher: runs beside the students, on a new view of every image each epoch")
    return targets


def _write_description(folder: Path, targets: Targets, confidence: Confidence | None) -> None:
    """Write the record, and which images without a label are taught."""
    kept = confidence.kept if confidence else np.empty(0, np.int64)
    np.save(folder / KEPT, kept)
    targets.write(folder / DESCRIPTION)


def _check_space(folder: Path, sizes: Sequence[tuple[str, int]]) -> None:
    """Say how many bytes of what are going to be written, and refuse it where there is no room."""
    parts = [f"{size / 1e6:,.1f} MB of {what}" for what, size in sizes if what]
    print(f"targets take {', '.join(parts)}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    needed, free = sum(size for _, size in sizes), shutil.disk_usage(folder.parent).free
    if needed > free:
        raise TeacherError(
            f"the targets need {needed / 1e9:,.2f} GB, {folder.parent} has {free / 1e9:,.2f} GB "
            "free; lower augmentation.views, name fewer targets.features, set "
            "targets.top_k to keep the likeliest classes alone, or set targets.mode to "
            "online, which stores no answers"
        )
