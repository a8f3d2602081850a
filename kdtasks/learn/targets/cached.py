"""The teacher's targets: what it says of every augmented view, computed once for everybody."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from kdtasks.core.errors import ParamsError, TeacherError
from kdtasks.core.files import atomic_folder
from kdtasks.core.records.data import Features, Targets
from kdtasks.core.settings import Count, Names, Section
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.targets.online import DESCRIPTION, as_halves, open_online
from kdtasks.learn.training.examples import (
    Examples,
    PackedLogits,
    TrainingExamples,
    index_type,
    pack,
)
from kdtasks.learn.training.views import AugmentationParams, count_views, draw_view
from kdtasks.tasks.confusion import accuracy

if TYPE_CHECKING:
    from kdtasks.learn.teachers.teacher import Teacher


# Answers, float32, that are held in memory at a time.
_CHUNK_BYTES = 128_000_000


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
    teacher: "Teacher",
    dataset: PreparedDataset,
    *,
    augmentation: AugmentationParams,
    layers: Sequence[str] = (),
    top_k: int | None = None,
) -> Targets:
    """Draw every view, run the teacher on it and write both, a view at a time.

    Args:
        teacher: opened with `layers`.
        dataset: its training split is what the teacher is asked about.
        layers: hidden layers of the teacher whose features are kept.
        top_k: as of `pack`; None keeps the logits of all classes.

    Returns:
        the content of `targets.json`.

    Raises:
        ParamsError: `top_k` are not fewer than the classes.
        TeacherError: an answer is not finite or does not fit into float16, or the disk has no room.
    """
    images, labels = dataset.images("train"), dataset.labels("train")
    num_classes = dataset.num_classes
    if top_k is not None and top_k >= num_classes:
        raise ParamsError(
            f"targets.top_k is {top_k}, the dataset has {num_classes} classes; give "
            f"1 to {num_classes - 1}, or null to keep them all"
        )
    views = count_views(augmentation)
    of_one = teacher.run(np.asarray(images[:1]))
    chunk = max(1, _CHUNK_BYTES // sum(answer.nbytes for answer in of_one))
    shapes = [answer.shape[1:] for answer in of_one[1:]]
    files = {
        "views.npy": (np.dtype(np.uint8), images.shape),
        "labels.npy": (labels.dtype, labels.shape),
    }
    if top_k is None:
        files["logits.npy"] = (np.dtype(np.float16), (*labels.shape, num_classes))
    else:
        files["top_logits.npy"] = (np.dtype(np.float16), (*labels.shape, top_k + 1))
        files["top_k.npy"] = (index_type(num_classes), (*labels.shape, top_k))
    for index, shape in enumerate(shapes):
        files[f"features-{index}.npy"] = (np.dtype(np.float16), (len(images), *shape))
    _foresee(
        folder,
        {
            name: views * kind.itemsize * int(np.prod(shape))
            for name, (kind, shape) in files.items()
        },
        "masks" if labels.ndim > 1 else None,
        layers,
    )
    agreement = []
    with atomic_folder(folder) as partial:
        view_file, label_file, *answer_files = (
            np.lib.format.open_memmap(partial / name, mode="w+", dtype=kind, shape=(views, *shape))
            for name, (kind, shape) in files.items()
        )
        for view in range(views):
            moved, moved_labels = draw_view(images, labels, view=view, augmentation=augmentation)
            view_file[view], label_file[view] = moved, moved_labels
            predicted = np.empty(labels.shape, np.int64)
            for start in range(0, len(images), chunk):
                rows = slice(start, start + chunk)
                logits, *features = teacher.run(moved[rows])
                halves = as_halves((logits, *features), layers)
                predicted[rows] = halves[0].argmax(axis=-1)
                if top_k is not None:
                    halves = (*pack(logits, top_k), *halves[1:])
                for file, answer in zip(answer_files, halves, strict=True):
                    file[view, rows] = answer
            reached = accuracy(predicted, moved_labels, dataset.ignore_label)
            agreement.append(round(reached, 6))
            print(f"view {view + 1}/{views}: the teacher agrees with {agreement[-1]:.2%} of labels")
        for file in (view_file, label_file, *answer_files):
            file.flush()
        targets = Targets(
            mode="cached",
            views=views,
            images=len(images),
            classes=num_classes,
            agreement=tuple(agreement),
            features=tuple(
                Features(layer=layer, shape=shape, file=f"features-{index}.npy")
                for index, (layer, shape) in enumerate(zip(layers, shapes, strict=True))
            ),
            top_k=top_k,
        )
        targets.write(partial / DESCRIPTION)
    return targets


def open_targets(
    folder: Path, dataset: PreparedDataset, *, seed: int, layers: Sequence[str] = ()
) -> Examples:
    """Open the targets: cached ones memory-mapped, online ones with the teacher beside them.

    Args:
        dataset: its training split is what an online teacher is asked about.
        seed: the student's, which decides the views that an online teacher is asked about.
        layers: the teacher's hidden layers whose features are needed, in this order.

    Raises:
        TeacherError: the folder is incomplete, or does not have the features of a layer.
    """
    targets = Targets.read(_existing(folder, DESCRIPTION))
    known = {features.layer: features for features in targets.features}
    for layer in layers:
        if layer not in known:
            raise TeacherError(
                f"{folder} has the features of {sorted(known) or 'no layer'}, not of {layer!r}; "
                "add it to targets.features and run `dvc repro targets`"
            )
    if targets.mode == "online":
        images, labels = dataset.images("train"), dataset.labels("train")
        return open_online(folder, targets, images, labels, seed=seed, layers=layers)

    def mapped(name: str) -> np.ndarray:
        array: np.ndarray = np.load(_existing(folder, name), mmap_mode="r")
        return array

    return TrainingExamples(
        images=mapped("views.npy"),
        labels=mapped("labels.npy"),
        teacher_logits=mapped("logits.npy")
        if targets.classes is None or targets.top_k is None
        else PackedLogits(mapped("top_logits.npy"), mapped("top_k.npy"), targets.classes),
        teacher_features=tuple(mapped(str(known[layer].file)) for layer in layers),
    )


def answer_files(folder: Path) -> list[Path]:
    """Files whose content, with params and images, decides what a student is taught."""
    drawn = {folder / "views.npy", folder / "labels.npy"}
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in drawn)


def _existing(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise TeacherError(f"{folder} holds no {name}; run `dvc repro targets`")
    return folder / name


def _foresee(
    folder: Path, sizes: dict[str, int], labels: str | None, layers: Sequence[str]
) -> None:
    """Say how much is going to be written, and refuse it where there is no room.

    Args:
        sizes: bytes of each file, by name.
        labels: what the labels are called; None where they are too small to tell of.
    """
    what = {"views.npy": "views", "logits.npy": "logits", "top_logits.npy": "logits"}
    what |= {"top_k.npy": "their classes"}
    what |= {f"features-{index}.npy": f"features of {name}" for index, name in enumerate(layers)}
    if labels:
        what["labels.npy"] = labels
    parts = [
        f"{size / 1e6:,.1f} MB of {what[name]}" for name, size in sizes.items() if name in what
    ]
    print(f"targets take {', '.join(parts)}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    needed, free = sum(sizes.values()), shutil.disk_usage(folder.parent).free
    if needed > free:
        raise TeacherError(
            f"the targets need {needed / 1e9:,.2f} GB, {folder.parent} has {free / 1e9:,.2f} GB "
            "free; lower augmentation.views, name fewer targets.features, set "
            "targets.top_k to keep the likeliest classes alone, or set targets.mode to "
            "online, which stores no answers"
        )
