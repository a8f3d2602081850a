"""Take a teacher from a file: check that it fits, find out how it wants its images."""

from pathlib import Path
from typing import Any

from kdtasks.core.errors import TeacherError, explained
from kdtasks.core.files import atomic_folder, write_json
from kdtasks.core.safe_files import copy_files
from kdtasks.core.text import quantity
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.teachers.apart import open_apart
from kdtasks.learn.teachers.fit import Fit, fit_network
from kdtasks.learn.teachers.formats import DESCRIPTION
from kdtasks.learn.teachers.input_forms import forms_of
from kdtasks.learn.teachers.judge import Judge
from kdtasks.learn.teachers.network import format_of, network_in, run_in_batches
from kdtasks.learn.teachers.settings import TeacherInput, TeacherParams
from kdtasks.learn.teachers.trained_on import check_overlap

_Shape = tuple[int | None, ...]


def import_teacher(
    folder: Path, params: TeacherParams, dataset: PreparedDataset, images: Any = None
) -> None:
    """Check the teacher's file against the validation split and copy it into `folder`.

    Args:
        images: those of the validation split as the teacher sees them; None is as the student does.

    Raises:
        TeacherError: its input shape or its outputs do not fit, are not finite, look permuted or
            are no better than guessing, several forms of its input fit as well, or it was trained
            on images of another split than train.
    """
    own = images is not None
    images = images if own else dataset.images("validation")
    source = network_in(Path(params.path))
    network = open_apart(source)
    _check_input(source, network.input_shape, images.shape[1:], params.input)
    check_outputs(source, network.output_shape, images.shape[1:3] if own else None, dataset)
    check_overlap(Path(params.path), dataset)
    # One image, before many: a graph that loops is found out sooner.
    run_in_batches(network, images[:1], forms_of(params.input, images.shape[-1])[0])
    scaling = format_of(source).scaling
    if scaling and params.input.scaling == "auto":
        known = params.input.model_copy(update={"scaling": scaling, "layout": "rgb"})
        params = params.model_copy(update={"input": known})
    fit, judge = fit_network(source, network, images, params, dataset)
    if judge:
        _check_better_than_guessing(fit, judge, source, params)
    if judge and fit.rivals:
        raise TeacherError(
            f"teacher.input: how {source} takes its pixels cannot be told. Cross-entropy on "
            f"{len(judge.rows):,} validation images, by form: {fit}. {fit.form} has the lowest, "
            f"but {' and '.join(map(str, fit.rivals))} may be right as well. Look at how its "
            f"images were prepared in training; if as {fit.form}, "
            f"{params.input.line(**fit.form.content)}, if as {fit.rivals[0]}, "
            f"{params.input.line(**fit.rivals[0].content)}"
        )
    found = f"validation cross-entropy by form: {fit}" if judge else "no label could tell"
    print(f"teacher input: {fit.form}; {found}")
    print(f"teacher output: {_told(fit, network.output_shape[-1])}")
    name = f"teacher{source.suffix.lower()}" if source.is_file() else format_of(source).name
    content = {
        "file": name,
        "input": fit.form.content,
        "output": fit.kind,
        "columns": fit.columns,
        "parameters": network.parameters,
    }
    if own:
        content["image_shape"] = images.shape[1:]
        content["places"] = list(dataset.labels("validation").shape[1:])
    problem, advice = f"{source} cannot be copied", "copy what it stands for beside it"
    with explained(TeacherError, problem, advice, OSError), atomic_folder(folder) as partial:
        copy_files(source, partial / name)
        write_json(partial / DESCRIPTION, content)


def _check_better_than_guessing(
    fit: Fit, judge: Judge, source: Path, params: TeacherParams
) -> None:
    reached, guess = fit.figures[fit.form][1], judge.guess()
    if not judge.beats_guessing(reached):
        few = (
            f"; {quantity(len(judge.rows), 'image')} would be too few even for a teacher halfway "
            "to perfect, so add some or raise data.split.validation"
        )
        tells = judge.beats_guessing((1 + guess) / 2)
        raise TeacherError(
            f"the teacher {source} gets {reached:.1%} of the validation split right, and always "
            f"predicting the most common class {guess:.1%}, whatever the order of its "
            f"outputs{'' if tells else few}. Tried: {fit}. Check that it knows these "
            "classes, that its weights are the trained ones, and how its images were prepared in "
            "training: with another mean and standard deviation (of pixels of 0…1, red, green, "
            "blue), " + params.input.line(scaling={"mean": "[…, …, …]", "std": "[…, …, …]"})
        )


def _told(fit: Fit, outputs: int | None) -> str:
    """Say what the outputs are, and what becomes of them."""
    told = fit.kind
    if fit.kind == "sigmoids":
        told += ", a probability for each class by itself, divided by their sum"
    if outputs == 1:
        return f"{told}; the single one is high for the second class"
    if outputs and outputs > len(fit.columns):
        told += f"; {len(fit.columns)} of {outputs} outputs are taken: {fit.columns}"
    return told


def _check_input(
    source: Path,
    takes: _Shape,
    shape: tuple[int, ...],
    settings: TeacherInput,
) -> None:
    """Refuse a network that cannot take the images."""
    if _fits(takes, shape):
        return
    told = f"the teacher {source} takes images of {_shape(takes)}"
    if len(takes) != 3 or takes[2] not in (1, 3):
        raise TeacherError(
            f"{told}; height×width×channels were expected, with 1 channel (grey) or 3 (colours). "
            "Export it again with channels last and images as they are, or let it answer "
            "elsewhere, and give its answers in a file (teacher.source: logits)"
        )
    size = [wanted or given for wanted, given in zip(takes[:2], shape[:2], strict=True)]
    raise TeacherError(
        f"{told}, and gets {_shape(shape)}; for images of its own, made from the same originals as "
        f"the student's, {settings.line(size=size, channels=takes[2])}"
    )


def check_outputs(
    source: Path, gives: _Shape, own_size: _Shape | None, dataset: PreparedDataset
) -> None:
    """Refuse a network whose answers are of another kind; masks are of the size of its images.

    Args:
        source: of the network, for errors.
        gives: shape of its answer to an image.
        own_size: height and width of its images; None are those of the dataset.

    Raises:
        TeacherError: what it gives, and what is wanted.
    """
    wanted = tuple(dataset.labels("validation").shape[1:])
    if wanted and own_size:
        wanted = tuple(own_size)
    if not gives or not _fits(gives[:-1], wanted) or gives[-1] is None:
        raise TeacherError(
            f"the teacher {source} has outputs {_shape(gives)}, the dataset has "
            f"{_shape((*wanted, dataset.num_classes))}, the last being its classes; take the "
            "network as a whole, with its last layer"
        )
    if gives[-1] == 1 and dataset.num_classes != 2:
        raise TeacherError(
            f"the teacher {source} has a single output, which tells two classes apart; the dataset "
            f"has {dataset.num_classes}: {', '.join(dataset.class_names[:5])}. Leave two of them "
            "in data.path, or take a teacher that knows them all"
        )


def _fits(found: _Shape, wanted: _Shape) -> bool:
    """Whether shapes are the same; None fits any size."""
    return len(found) == len(wanted) and all(
        size in (None, number) for size, number in zip(found, wanted, strict=True)
    )


def _shape(sizes: _Shape) -> str:
    return "×".join("any" if size is None else str(size) for size in sizes)
