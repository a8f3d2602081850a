"""Import a teacher from a file: check that it fits, find its preprocessing."""

from pathlib import Path
from typing import Any

from kdtasks.core.errors import TeacherError, explained
from kdtasks.core.files import atomic_folder, write_json
from kdtasks.core.safe_files import copy_files
from kdtasks.core.text import quantity
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.teachers.formats import DESCRIPTION
from kdtasks.learn.teachers.interface import TeacherInterface, detect_interface
from kdtasks.learn.teachers.isolated import fits, open_isolated
from kdtasks.learn.teachers.judge import Judge
from kdtasks.learn.teachers.network import format_of, network_in, run_in_batches
from kdtasks.learn.teachers.preprocessing import preprocessing_candidates
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
            are no better than guessing, several preprocessings fit as well, or it was trained
            on images of another split than train.
    """
    own = images is not None
    images = images if own else dataset.images("validation")
    source = network_in(Path(params.path))
    network = open_isolated(source)
    _check_input(source, network.input_shape, images.shape[1:], params.input)
    check_outputs(source, network.output_shape, images.shape[1:3] if own else None, dataset)
    check_overlap(Path(params.path), dataset)
    # One image, before many: a graph that loops is found out sooner.
    run_in_batches(network, images[:1], preprocessing_candidates(params.input, images.shape[-1])[0])
    scaling = format_of(source).scaling
    if scaling and params.input.scaling == "auto":
        known = params.input.model_copy(update={"scaling": scaling, "layout": "rgb"})
        params = params.model_copy(update={"input": known})
    interface, judge = detect_interface(source, network, images, params, dataset)
    if judge:
        _check_better_than_guessing(interface, judge, source, params)
    if judge and interface.rivals:
        raise TeacherError(
            f"teacher.input: how {source} takes its pixels is unclear. Cross-entropy on "
            f"{len(judge.rows):,} validation images, by preprocessing: {interface}. "
            f"{interface.preprocessing} has the lowest, but "
            f"{' and '.join(map(str, interface.rivals))} may be right as well. Look at how its "
            f"images were prepared in training; if as {interface.preprocessing}, "
            f"{params.input.line(**interface.preprocessing.content)}, if as {interface.rivals[0]}, "
            f"{params.input.line(**interface.rivals[0].content)}"
        )
    found = (
        f"validation cross-entropy by preprocessing: {interface}"
        if judge
        else "no labels to choose by"
    )
    print(f"teacher input: {interface.preprocessing}; {found}")
    print(f"teacher output: {_output_text(interface, network.output_shape[-1])}")
    name = f"teacher{source.suffix.lower()}" if source.is_file() else format_of(source).name
    content = {
        "file": name,
        "input": interface.preprocessing.content,
        "output": interface.kind,
        "columns": interface.columns,
        "parameters": network.parameters,
    }
    if own:
        content["image_shape"] = images.shape[1:]
        content["mask_size"] = list(dataset.labels("validation").shape[1:])
    problem, advice = f"{source} cannot be copied", "copy what it stands for beside it"
    with explained(TeacherError, problem, advice, OSError), atomic_folder(folder) as partial:
        copy_files(source, partial / name)
        write_json(partial / DESCRIPTION, content)


def _check_better_than_guessing(
    interface: TeacherInterface, judge: Judge, source: Path, params: TeacherParams
) -> None:
    accuracy, majority_accuracy = (
        interface.metrics[interface.preprocessing][1],
        judge.majority_accuracy(),
    )
    if not judge.beats_majority(accuracy):
        few = (
            f"; {quantity(len(judge.rows), 'image')} would be too few even for a teacher halfway "
            "to perfect, so add some or raise data.split.validation"
        )
        is_enough = judge.beats_majority((1 + majority_accuracy) / 2)
        raise TeacherError(
            f"the teacher {source} gets {accuracy:.1%} of the validation split right, and always "
            f"predicting the most common class {majority_accuracy:.1%}, whatever the order of its "
            f"outputs{'' if is_enough else few}. Tried: {interface}. Check that it knows these "
            "classes, that its weights are the trained ones, and how its images were prepared in "
            "training: with another mean and standard deviation (of pixels of 0…1, red, green, "
            "blue), " + params.input.line(scaling={"mean": "[…, …, …]", "std": "[…, …, …]"})
        )


def _output_text(interface: TeacherInterface, outputs: int | None) -> str:
    """Say what the outputs are, and what becomes of them."""
    text = interface.kind
    if interface.kind == "sigmoids":
        text += ", a probability for each class by itself, divided by their sum"
    if outputs == 1:
        return f"{text}; the single one is high for the second class"
    if outputs and outputs > len(interface.columns):
        text += f"; {len(interface.columns)} of {outputs} outputs are taken: {interface.columns}"
    return text


def _check_input(
    source: Path,
    input_shape: _Shape,
    shape: tuple[int, ...],
    settings: TeacherInput,
) -> None:
    """Refuse a network that cannot take the images."""
    if fits(input_shape, shape):
        return
    text = f"the teacher {source} takes images of {_shape(input_shape)}"
    if len(input_shape) != 3 or input_shape[2] not in (1, 3):
        raise TeacherError(
            f"{text}; height×width×channels were expected, with 1 channel (grey) or 3 (colours). "
            "Export it again with channels last and images as they are, or let it answer "
            "elsewhere, and give its answers in a file (teacher.source: logits)"
        )
    size = [expected or given for expected, given in zip(input_shape[:2], shape[:2], strict=True)]
    raise TeacherError(
        f"{text}, and gets {_shape(shape)}; for images of its own, made from the same originals as "
        f"the student's, {settings.line(size=size, channels=input_shape[2])}"
    )


def check_outputs(
    source: Path, output_shape: _Shape, own_size: _Shape | None, dataset: PreparedDataset
) -> None:
    """Refuse a network whose answers are of another kind; masks are of the size of its images.

    Args:
        source: of the network, for errors.
        output_shape: shape of its answer to an image.
        own_size: height and width of its images; None are those of the dataset.

    Raises:
        TeacherError: what it gives, and what is wanted.
    """
    expected = tuple(dataset.labels("validation").shape[1:])
    if expected and own_size:
        expected = tuple(own_size)
    if not output_shape or not fits(output_shape[:-1], expected) or output_shape[-1] is None:
        raise TeacherError(
            f"the teacher {source} has outputs {_shape(output_shape)}, the dataset has "
            f"{_shape((*expected, dataset.num_classes))}, the last being its classes; take the "
            "network as a whole, with its last layer"
        )
    if output_shape[-1] == 1 and dataset.num_classes != 2:
        raise TeacherError(
            f"the teacher {source} has a single output, which tells two classes apart; the dataset "
            f"has {dataset.num_classes}: {', '.join(dataset.class_names[:5])}. Leave two of them "
            "in data.path, or take a teacher that knows them all"
        )


def _shape(sizes: _Shape) -> str:
    return "×".join("any" if size is None else str(size) for size in sizes)
