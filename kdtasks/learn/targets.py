"""The teacher's targets: its answers to every view, cached once for everybody, or a teacher online.

An online teacher is asked about every view that the student sees, in the epoch that it does.
"""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from kdtasks.core.errors import ParamsError, TeacherError
from kdtasks.core.files import atomic_folder
from kdtasks.core.records.data import Features, Targets
from kdtasks.core.settings import Count, Fraction, Names, Section
from kdtasks.data.labels import TrainingSet, training_set
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.augmentations.mixing import Mixing, TwoLabels, first_labels
from kdtasks.learn.teachers.confidence import Confidence
from kdtasks.learn.teachers.teacher import Teacher, open_teacher
from kdtasks.learn.training.examples import (
    Examples,
    PackedLogits,
    TrainingExamples,
    in_views,
    index_type,
    pack_top_k,
)
from kdtasks.learn.training.views import (
    AugmentationParams,
    OnlineExamples,
    count_views,
    draw_view,
    labels_of,
)
from kdtasks.tasks.confusion import accuracy

_DESCRIPTION = "targets.json"
_TEACHER = "teacher"
_KEPT = "unlabelled.npy"

# Answers, float32, that are held in memory at a time.
_CHUNK_BYTES = 128_000_000

_LARGEST = float(np.finfo(np.float16).max)


class TargetsParams(Section):
    """What the teacher says of the training images."""

    mode: Literal["cached", "online"] = Field(
        default="cached",
        description="`cached`: the teacher's logits on every view are computed once, before any "
        "student; `online`: the teacher runs beside the student, on a new view of every image "
        "in each epoch; `augmentation.views` then counts for the teacher's training alone",
    )
    top_k: Count | None = Field(
        default=None,
        description="keep the logits of the teacher's so many likeliest classes and the mean of "
        "the others, which is smaller; null keeps all. For `cached` only",
    )
    batch_size: Count = Field(default=256, description="images a teacher pass")
    min_confidence: Fraction = Field(
        default=0.0,
        description="images without a label of which the teacher is less sure, by the probability "
        "of its likeliest class (of masks: its mean over pixels), are left out: often they are of "
        "no class at all",
    )
    features: Names = Field(
        default=(),
        description="blocks of a teacher of the zoo, or layers of any Keras teacher, whose hidden "
        "features are given besides: those that `distill.hints` look at, or more",
    )

    @model_validator(mode="after")
    def _is_stored(self) -> "TargetsParams":
        if self.mode == "online" and self.top_k is not None:
            raise ValueError(
                f"top_k is {self.top_k}, mode online, which stores no answers; set top_k to null"
            )
        return self


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
        teacher: opened with `layers`, and told which images `training` holds (`Teacher.about`).
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
    is_mixed = labels.ndim == 1 and bool(augmentation.chosen(Mixing))
    drawn_from = labels_of(np.arange(len(labels)) if is_mixed else labels, augmentation)
    views = count_views(augmentation)
    probe = teacher.answers(np.asarray(images[:1]), slice(1))
    num_classes = probe[0].shape[-1]
    if top_k is not None and top_k >= num_classes:
        raise ParamsError(
            f"targets.top_k is {top_k}, the dataset has {num_classes} classes; give "
            f"1 to {num_classes - 1}, or null to keep them all"
        )
    chunk = max(1, _CHUNK_BYTES // sum(answer.nbytes for answer in probe))
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
    for one in features:
        shape = (len(images), *one.shape)
        files[str(one.file)] = (f"features of {one.layer}", np.float16, shape)
    sizes = [
        (what, views * np.dtype(kind).itemsize * math.prod(shape))
        for what, kind, shape in files.values()
    ]
    _check_space(folder, sizes)
    agreement = []
    with atomic_folder(folder) as partial:
        view_file, label_file, *answer_files = (
            np.lib.format.open_memmap(partial / name, mode="w+", dtype=kind, shape=(views, *shape))
            for name, (_, kind, shape) in files.items()
        )
        for view in range(views):
            moved, moved_labels = draw_view(
                images, drawn_from, view=view, augmentation=augmentation
            )
            view_file[view], label_file[view] = moved, moved_labels
            predicted = np.empty(labels.shape, np.int64)
            for start in range(0, len(images), chunk):
                rows = slice(start, start + chunk)
                answers = teacher.answers(moved[rows], rows)
                halves = to_float16(answers, layers)
                predicted[rows] = halves[0].argmax(axis=-1)
                if top_k is not None:
                    halves = (*pack_top_k(answers[0], top_k), *halves[1:])
                for file, answer in zip(answer_files, halves, strict=True):
                    file[view, rows] = answer
            truth = labels[first_labels(moved_labels)] if is_mixed else moved_labels
            agreement.append(round(accuracy(predicted, truth, training.no_label), 6))
            print(f"view {view + 1}/{views}: the teacher agrees with {agreement[-1]:.2%} of labels")
        for file in (view_file, label_file, *answer_files):
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
        images: uint8 [N, height, width, channels], what the teacher is asked about.
        batch_size: images a teacher pass.
        layers: hidden layers of the teacher whose features it gives.
        confidence: as of `write_targets`.

    Returns:
        the content of `targets.json`.

    Raises:
        TeacherError: the teacher has no such layer, or its answer is no good.
    """
    opened = open_teacher(teacher, batch_size=batch_size, layers=layers)
    _, *features = to_float16(opened.run(np.asarray(images[:1])), layers)
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
        shutil.copytree(teacher, partial / _TEACHER, copy_function=shutil.copyfile)
        _write_description(partial, targets, confidence)
    print("online teacher: runs beside the students, on a new view of every image each epoch")
    return targets


def _write_description(folder: Path, targets: Targets, confidence: Confidence | None) -> None:
    """Write the record, and which images without a label are taught."""
    kept = confidence.kept if confidence else np.empty(0, np.int64)
    np.save(folder / _KEPT, kept)
    targets.write(folder / _DESCRIPTION)


def taught_set(
    folder: Path, dataset: PreparedDataset, unlabelled: np.ndarray, labelled: np.ndarray
) -> TrainingSet:
    """Put together what students are taught: without the images that the teacher is unsure of.

    Args:
        folder: the targets.
        unlabelled: all images without a label, uint8 [N, height, width, channels].
        labelled: rows of the training split whose labels students see.

    Raises:
        TeacherError: the folder is incomplete.
    """
    kept = np.load(_existing(folder, _KEPT))
    return training_set(dataset, unlabelled[kept], labelled)


def open_targets(
    folder: Path, training: TrainingSet, *, seed: int, layers: Sequence[str] = ()
) -> Examples:
    """Open the targets: cached ones memory-mapped, online ones with the teacher beside them.

    An online teacher is no part of the student's network, so its variables are not trained.

    Args:
        training: what an online teacher is asked about, and which labels are shown.
        seed: the student's, which decides the views that an online teacher is asked about.
        layers: the teacher's hidden layers whose features are needed, in this order.

    Raises:
        TeacherError: the folder is incomplete, or does not have the features of a layer.
    """
    targets = Targets.read(_existing(folder, _DESCRIPTION))
    files = {features.layer: str(features.file) for features in targets.features}
    for layer in layers:
        if layer not in files:
            raise TeacherError(
                f"{folder} has the features of {sorted(files) or 'no layer'}, not of {layer!r}; "
                "add it to targets.features and run `dvc repro targets`"
            )
    if targets.batch_size is not None:  # online
        teacher = open_teacher(folder / _TEACHER, batch_size=targets.batch_size, layers=layers)
        augmentation = AugmentationParams.model_validate(targets.augmentation)
        return OnlineExamples(
            training.images,
            training.labels,
            augmentation,
            seed,
            lambda views: to_float16(teacher.run(views), layers),
            weights=training.weights,
        )

    def mapped(name: str) -> np.ndarray:
        array: np.ndarray = np.load(_existing(folder, name), mmap_mode="r")
        return array

    views, labels = mapped("views.npy"), mapped("labels.npy")
    if labels.dtype == TwoLabels:  # of the numbers of both images
        numbers, labels = labels, np.array(labels)
        for name in ("label", "partner"):
            labels[name] = training.labels[numbers[name]]
    elif training.hides:
        labels = np.array(labels)
        labels[:, np.setdiff1d(np.arange(len(training)), training.labelled)] = training.no_label
    features = tuple(mapped(files[layer]) for layer in layers)
    logits: Any
    if targets.classes is None or targets.top_k is None:
        logits = mapped("logits.npy")
    else:
        logits = PackedLogits(mapped("top_logits.npy"), mapped("top_k.npy"), targets.classes)
    weights = in_views(training.weights, len(views))
    return TrainingExamples(views, labels, logits, features, weights)


def answer_files(folder: Path) -> list[Path]:
    """Files whose content, with params and images, decides what a student is taught."""
    drawn = {folder / "views.npy", folder / "labels.npy"}
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in drawn)


def _existing(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise TeacherError(f"{folder} holds no {name}; run `dvc repro targets`")
    return folder / name


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


def to_float16(answers: Sequence[np.ndarray], layers: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Return logits and hidden features, float32 [N, …], as float16.

    From the logits of an image their maximum is subtracted first: what all of them have in common
    changes no loss, and float16 has most digits around 0.

    Args:
        answers: the logits, and the features of each layer.
        layers: names of the layers, for the message.

    Raises:
        TeacherError: a number is not finite, or beyond 65,504.
    """
    logits, *features = answers
    with np.errstate(invalid="ignore"):  # what is not finite is told below
        shifted = logits - logits.max(axis=tuple(range(1, logits.ndim)), keepdims=True)
    stored = (shifted, *features)
    for name, answer in zip(("logits", *layers), stored, strict=True):
        what = name if name == "logits" else f"features of {name}"
        # One pass over the array: NaN makes both ends NaN, infinity one of them infinite.
        largest = max(-float(answer.min()), float(answer.max()))
        if not np.isfinite(largest):
            raise TeacherError(
                f"the teacher's {what} are not all finite; look at its weights, and at the range "
                "of its input"
            )
        if largest > _LARGEST:
            advice = "name a layer behind a normalisation"
            if name == "logits":
                advice = "scale its last layer down"
            raise TeacherError(
                f"the teacher's {what} reach {largest:g}; targets are stored as float16, which "
                f"holds up to 65,504: {advice}"
            )
    return tuple(answer.astype(np.float16) for answer in stored)
