"""Open the targets: what students are taught, and the teacher's answers to it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.core.records.data import Targets
from kdtasks.data.labels import TrainingSet, training_set
from kdtasks.data.prepared import PreparedDataset
from kdtasks.data.stacked_rows import StackedRows, rows_or_blank
from kdtasks.data.teacher_images import teacher_training_images
from kdtasks.learn.augmentations.mixing import TwoLabels
from kdtasks.learn.targets.files import DESCRIPTION, KEPT, TEACHER, existing_file
from kdtasks.learn.targets.precision import to_float16
from kdtasks.learn.teachers.teacher import open_teacher
from kdtasks.learn.training.examples import Examples, PackedLogits, TrainingExamples, in_views
from kdtasks.learn.training.online import OnlineExamples, TeacherViews
from kdtasks.learn.training.resized_views import ResizedViews
from kdtasks.learn.training.views import AugmentationParams


def distillation_set(
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
    kept = np.load(existing_file(folder, KEPT))
    return training_set(dataset, StackedRows((unlabelled, kept)), labelled)


def open_targets(
    folder: Path,
    training: TrainingSet,
    *,
    seed: int,
    layers: Sequence[str] = (),
    own_images: Path | None = None,
) -> Examples:
    """Open the targets: cached ones memory-mapped, online ones with the teacher beside them.

    An online teacher is no part of the student's network, so its variables are not trained.

    Args:
        training: what an online teacher is asked about, and which labels are shown.
        seed: the student's, which decides the views that an online teacher is asked about.
        layers: the teacher's hidden layers whose features are needed, in this order.
        own_images: folder of the images as an online teacher sees them that has a size of its own.

    Raises:
        TeacherError: the folder is incomplete, or does not have the features of a layer.
    """
    targets = Targets.read(existing_file(folder, DESCRIPTION))
    files = {features.layer: str(features.file) for features in targets.features}
    for layer in layers:
        if layer not in files:
            raise TeacherError(
                f"{folder} has the features of {sorted(files) or 'no layer'}, not of {layer!r}; "
                "add it to targets.features and run `dvc repro targets`"
            )
    if targets.batch_size is not None:  # online
        teacher = open_teacher(folder / TEACHER, batch_size=targets.batch_size, layers=layers)
        augmentation = AugmentationParams.model_validate(targets.augmentation)
        teacher_views: TeacherViews | None = None
        if teacher.image_shape:
            assert own_images
            own = teacher_training_images(own_images, np.load(existing_file(folder, KEPT)))
            height, width = training.images.shape[1:3]
            teacher_views = ResizedViews(own, (height, width), augmentation).draw
        return OnlineExamples(
            training.images,
            training.labels,
            augmentation,
            seed,
            lambda views: to_float16(teacher.run(views), layers),
            weights=training.weights,
            teacher_views=teacher_views,
        )

    def mapped(name: str) -> np.ndarray:
        array: np.ndarray = np.load(existing_file(folder, name), mmap_mode="r")
        return array

    views = mapped("views.npy")
    labels: Any = mapped("labels.npy")
    if labels.dtype == TwoLabels:  # of the numbers of both images
        numbers, labels = labels, np.array(labels)
        for name in ("label", "partner"):
            labels[name] = training.labels[numbers[name]]
    elif training.has_hidden_labels:
        shown = np.full(len(training), -1)
        shown[training.labelled] = training.labelled
        starts = len(training) * np.arange(len(labels))[:, np.newaxis]
        indices = np.where(shown < 0, -1, starts + shown)
        flat = labels.reshape(-1, *labels.shape[2:])
        labels = rows_or_blank(flat, indices, training.no_label)
    features = tuple(mapped(files[layer]) for layer in layers)
    logits: Any
    if targets.classes is None or targets.top_k is None:
        logits = mapped("logits.npy")
    else:
        logits = PackedLogits(mapped("top_logits.npy"), mapped("top_k.npy"), targets.classes)
    weights = in_views(training.weights, len(views))
    return TrainingExamples(views, labels, logits, features, weights)
