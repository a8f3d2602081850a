"""A teacher, whatever it was made of: it answers images with logits, and hidden features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from kdtasks.core.errors import DatasetError, ModelError, TeacherError
from kdtasks.core.files import read_json
from kdtasks.data.teacher_images import teacher_images
from kdtasks.learn.networks.inference import ForwardPass
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.networks.saved import load_model
from kdtasks.learn.teachers.answers import AnswerTable, open_answers
from kdtasks.learn.teachers.formats import DESCRIPTION
from kdtasks.learn.teachers.isolated import open_isolated
from kdtasks.learn.teachers.network import run_in_batches
from kdtasks.learn.teachers.outputs import class_logits, mean_logits, resize_logits
from kdtasks.learn.teachers.preprocessing import Preprocessing


@dataclass(frozen=True)
class Teacher:
    """A teacher.

    Attributes:
        run: from uint8 [N, height, width, channels] to float32 logits [N, …, classes], and after
            them the hidden features [N, …] of each layer that it was opened with.
        parameters: number of weights; None where its file does not tell.
        macs: multiply-accumulates an image; None for imported teachers.
        image_shape: of the images of its own; None where it takes those of the student.
        uses_pixels: whether its answers depend on pixels; a file of answers goes by names.
    """

    run: Callable[[Any], list[np.ndarray]]
    parameters: int | None
    macs: int | None
    image_shape: tuple[int, ...] | None = field(default=None, kw_only=True)
    uses_pixels: ClassVar[bool] = True

    def inputs(self, folder: Path, part: str, images: np.ndarray) -> np.ndarray:
        """Give images as the teacher sees them, uint8 [N, height, width, channels].

        Args:
            folder: of the images in its own form, as of `write_teacher_images`.
            part: a split, or `unlabelled`.
            images: the same as the student sees them.

        Raises:
            DatasetError: they are not there, or of another form than the teacher takes.
        """
        if self.image_shape is None:
            return images
        own = teacher_images(folder, part)
        if own.shape[1:] != self.image_shape:
            raise DatasetError(
                f"{folder} holds images of {own.shape[1:]}, the teacher takes {self.image_shape}; "
                "run `dvc repro prepare teacher`"
            )
        return own

    def logits(self, images: Any) -> np.ndarray:
        """Return the logits alone, float32 [N, …, classes]."""
        return self.run(images)[0]

    def covers(self, names: Sequence[str]) -> bool:
        """Whether it can answer all images of these names; a network can answer any."""
        return True

    def for_images(self, names: Sequence[str]) -> Self:
        """Return the teacher, bound to the images that `predict` is going to be given views of.

        Args:
            names: of the images, as `PreparedDataset.names` and `unlabelled_names` give them.

        Raises:
            TeacherError: it cannot answer one of them.
        """
        return self

    def predict(self, images: Any, rows: Any) -> list[np.ndarray]:
        """Answer views of the images of `for_images`, as `run` does.

        Args:
            images: uint8 [N, height, width, channels].
            rows: a slice or integers [N]: which of the names each view is of.
        """
        return self.run(images)


@dataclass(frozen=True, eq=False)
class TableTeacher(Teacher):
    """A file of answers: every view of an image gets the answer to the image.

    Attributes:
        table: its answers.
        selected: those to the images of `for_images`, float32 [N, classes].
    """

    uses_pixels: ClassVar[bool] = False
    table: AnswerTable
    selected: np.ndarray | None = None

    def covers(self, names: Sequence[str]) -> bool:
        """Whether the file has a row for each."""
        return self.table.covers(names)

    def for_images(self, names: Sequence[str]) -> Self:
        """Return the teacher with the answers to these images."""
        return replace(self, selected=self.table.find(names))

    def predict(self, images: Any, rows: Any) -> list[np.ndarray]:
        """Look up the answers; the images themselves are not looked at."""
        return self.run(images) if self.selected is None else [self.selected[rows]]


def _no_network(images: Any) -> NoReturn:
    raise TeacherError(
        "the teacher is a file of answers to images that it names, and has no network that runs on "
        "others; set teacher.source to train or import"
    )


def open_teacher(folder: Path, *, batch_size: int = 256, layers: Sequence[str] = ()) -> Teacher:
    """Open what the stage `teacher` wrote.

    Args:
        batch_size: images a pass.
        layers: hidden layers whose features it gives besides: blocks of a network of the zoo, or
            layers of any Keras network, by name.

    Raises:
        TeacherError: the folder is incomplete, there is no such layer, or the teacher gives no
            features.
    """
    if (folder / "model.json").is_file():
        return _open_trained(folder, batch_size, layers)
    if not (folder / DESCRIPTION).is_file():
        raise TeacherError(f"{folder} holds no teacher; run `dvc repro teacher`")
    description = read_json(folder / DESCRIPTION)
    if members := description.get("members"):
        return _open_ensemble([folder / name for name in members], batch_size, layers)
    if "answers" in description:
        if layers:
            _no_network(None)
        return TableTeacher(_no_network, None, None, open_answers(folder))
    return _open_imported(folder, description, batch_size, layers)


def _open_trained(folder: Path, batch_size: int, layers: Sequence[str]) -> Teacher:
    model = load_model(folder)
    try:
        network = model.tapped(layers).network
    except ModelError as error:
        raise TeacherError(f"targets.features: {error}") from None
    predictor = ForwardPass(MultiExitModel(network), batch_size=batch_size)
    return Teacher(
        run=lambda images: predictor.logits(images)[model.num_exits - 1 :],
        parameters=model.count_parameters(),
        macs=model.macs()[-1],
    )


def _open_ensemble(members: Sequence[Path], batch_size: int, layers: Sequence[str]) -> Teacher:
    if layers:
        raise TeacherError(
            f"targets.features: the teacher is an ensemble of {len(members)}, whose hidden "
            "features cannot be averaged; set teacher.ensemble to 1, or targets.features to []"
        )
    teachers = [open_teacher(member, batch_size=batch_size) for member in members]
    return Teacher(
        run=lambda images: [mean_logits([teacher.logits(images) for teacher in teachers])],
        parameters=sum(teacher.parameters or 0 for teacher in teachers),
        macs=sum(teacher.macs or 0 for teacher in teachers),
    )


def _open_imported(
    folder: Path, description: dict[str, Any], batch_size: int, layers: Sequence[str]
) -> Teacher:
    network = open_isolated(folder / description["file"], layers=layers)
    preprocessing = Preprocessing.of(description["input"])

    def run(images: Any) -> list[np.ndarray]:
        outputs, *features = run_in_batches(network, images, preprocessing, batch_size=batch_size)
        logits = class_logits(outputs, description["output"], description["columns"])
        return [resize_logits(logits, description.get("mask_size", logits.shape[1:-1])), *features]

    shape = description.get("image_shape")
    return Teacher(
        run, description["parameters"], macs=None, image_shape=tuple(shape) if shape else None
    )
