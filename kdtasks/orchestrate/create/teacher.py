"""What a teacher wants and knows, before a project is begun: asked about some of the images."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.core.text import percent
from kdtasks.data.prepare import write_prepared
from kdtasks.data.prepared import SPLITS, PreparedDataset, open_prepared
from kdtasks.data.read import read_dataset
from kdtasks.data.settings import DataParams
from kdtasks.learn.teachers.class_order import PermutedError
from kdtasks.learn.teachers.formats import OpenedNetwork
from kdtasks.learn.teachers.imported import check_outputs
from kdtasks.learn.teachers.interface import TeacherInterface, detect_interface
from kdtasks.learn.teachers.isolated import open_isolated
from kdtasks.learn.teachers.judge import Judge
from kdtasks.learn.teachers.network import format_of, network_in
from kdtasks.learn.teachers.settings import TeacherInput, TeacherParams
from kdtasks.orchestrate.create.images import InspectedImages, write_links
from kdtasks.params.write import Overlay

# Images that a teacher is asked about: more tell its scaling and order apart, and take longer.
_ASKED, _ASKED_WHOLE, _EACH = 200, 12, 4

_IN_WORDS = {
    "byte": "0…255",
    "unit": "0…1",
    "symmetric": "−1…1",
    "caffe": "0…255 less ImageNet's mean, blue first",
    "torch": "0…1 by ImageNet's mean and standard deviation",
}


class InspectedTeacher(NamedTuple):
    """What was found out about a teacher.

    Attributes:
        size: height and width of its images; None where any will do.
        channels: 1 or 3.
        settings: for the section `teacher` of params, but for its path and size.
        sentence: what it wants and knows.
        parameters: number of weights; None where its format does not tell.
    """

    size: tuple[int, int] | None
    channels: int
    settings: Overlay
    sentence: str
    parameters: int | None


def inspect_teacher(
    path: Path,
    images: InspectedImages,
    *,
    size: tuple[int, int],
    channels: int,
    classes: Sequence[str] | None = None,
) -> InspectedTeacher:
    """Open a teacher and ask it about some images.

    Args:
        path: of its file or folder.
        size, channels: of the student's images, which a teacher that takes any gets too.
        classes: names of its outputs in its own order; None: the dataset's, or found out.

    Raises:
        TeacherError: it cannot be opened, does not fit the images, or knows nothing of them.
        DatasetError: the images cannot be read.
    """
    source = network_in(path)
    network = open_isolated(source)
    shape = network.input_shape
    if len(shape) != 3 or shape[2] not in (1, 3, None):
        taken = "×".join("any" if size is None else str(size) for size in shape)
        raise TeacherError(
            f"{path} takes inputs of {taken}, and a teacher takes images: height×width×channels, "
            "with 1 or 3 channels in the last place; export it again so"
        )
    own = (shape[0] or size[0], shape[1] or size[1])
    if images.is_segmentation and own[0] != own[1]:
        raise TeacherError(
            f"{path} takes images of {own[0]}×{own[1]}, and masks are learnt on square patches; "
            "export the teacher for a square, or for any size"
        )
    channels = shape[2] or channels
    named = None if classes is None else tuple(classes)
    params = TeacherParams(source="import", path=str(path), classes=named)
    if scaling := format_of(source).scaling:
        known = TeacherInput.model_validate({"scaling": scaling, "layout": "rgb"})
        params = params.model_copy(update={"input": known})
    with _sample(images, own, channels) as dataset:
        check_outputs(source, network.output_shape, own, dataset)
        interface, judge, order = _fit(source, network, params, dataset)
    accuracy = interface.metrics[interface.preprocessing][1]
    if not judge.beats_majority(accuracy):
        raise TeacherError(
            f"{path} gets {percent(accuracy)} of {len(judge.rows)} images right, and always "
            f"answering the commonest class {percent(judge.majority_accuracy())}, however pixels "
            "are scaled and classes ordered; check that it knows these classes, and that its "
            "weights are the trained ones"
        )
    fixed = (shape[0], shape[1]) if shape[0] and shape[1] else None
    takes = f"{own[0]}×{own[1]}" if fixed else "images of any size"
    scale = _IN_WORDS.get(str(interface.preprocessing.scaling), "a scale of its own")
    right = f"gets {percent(accuracy)} of {len(judge.rows)} of them right"
    if images.is_segmentation:
        right = f"gets {percent(accuracy)} of the pixels of {len(judge.rows)} patches right"
    settings: Overlay = {"source": "import", "classes": order or classes}
    sentence = f"the teacher takes {takes} in {scale} and {right}"
    if interface.rivals:
        other = _IN_WORDS.get(str(interface.rivals[0].scaling), "another scale")
        sentence += f" (or in {other}: these images do not decide, so set teacher.input.scaling)"
    else:
        settings["input"] = interface.preprocessing.content
    if order:
        sentence += f"; its outputs seem to be in the order {', '.join(order)}"
    return InspectedTeacher(fixed, channels, settings, sentence, network.parameters)


def _fit(
    source: Path, network: OpenedNetwork, params: TeacherParams, dataset: PreparedDataset
) -> tuple[TeacherInterface, Judge, list[str] | None]:
    """Find out how to ask it; and the order of its classes, where that is not the dataset's."""
    images, classes = dataset.images("validation"), None
    try:
        interface, judge = detect_interface(source, network, images, params, dataset)
    except PermutedError as error:
        if error.names is None:
            raise
        classes = error.names
        named = params.model_copy(update={"classes": tuple(classes)})
        interface, judge = detect_interface(source, network, images, named, dataset)
    assert judge is not None  # every image here has a label
    return interface, judge, classes


@contextmanager
def _sample(
    images: InspectedImages, size: tuple[int, int], channels: int
) -> Iterator[PreparedDataset]:
    """Prepare some of the images, at a teacher's size, as if all were of the validation split."""
    source, content = images.source, {"image_size": size}
    most = max(_ASKED, _EACH * len(images.class_names))
    if images.is_segmentation:
        source, content = source.model_copy(update={"patch_size": size[0]}), {}
        most = max(_ASKED_WHOLE, _EACH * len(images.class_names))
    with TemporaryDirectory(prefix="kdtasks-") as name:
        folder = Path(name)
        raw = write_links(folder / "raw", images)
        data = DataParams.model_validate(
            {
                **content,
                "source": source.model_dump(),
                "path": str(raw),
                "channels": channels,
                "split": dict.fromkeys(SPLITS, 0.25),
                "max_images": most if most < len(images.items) else None,
                "on_bad": "skip",
            }
        )
        dataset = read_dataset(data)
        rows = np.random.default_rng(0).permutation(len(dataset))
        write_prepared(folder / "prepared", dataset, dict.fromkeys(SPLITS, rows), data)
        yield open_prepared(folder / "prepared")
