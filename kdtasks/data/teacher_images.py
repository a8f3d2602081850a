"""Images as a teacher sees them that has a size or channels of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.events import span
from kdtasks.core.files import atomic_folder
from kdtasks.core.progress import with_progress
from kdtasks.core.records.data import TeacherImages
from kdtasks.core.threads import in_order
from kdtasks.data.decoded_images import DecodedImages
from kdtasks.data.folders import files_below, relative_name
from kdtasks.data.image_reader import ImageReader
from kdtasks.data.labels import image_of
from kdtasks.data.prepared import ADVICE, UNLABELLED
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import Item
from kdtasks.data.stacked_rows import StackedRows, new_file
from kdtasks.edge.decoder import quiet_decoding
from kdtasks.edge.pixel_budget import PixelBudget

DESCRIPTION = "images.json"

# Nobody asks a teacher about the images that thresholds and ranges are chosen by, unless its
# answers are their labels.
_SPLITS = ("train", "validation", "test")
_UNLABELLED = "unlabelled"
# A row to fill, the image to fill it with, and what reads that: a name, the pixels, maybe more.


class TeacherImageFormat(NamedTuple):
    """Height and width, and channels, that a teacher wants; None is the student's."""

    image_size: tuple[int, int] | None = None
    channels: int | None = None


class _Job(NamedTuple):
    """An image, and the rows that wait for what is made of it, by the prefix of their names."""

    name: str
    image: Path | np.ndarray
    rows: dict[str, np.ndarray]
    prefix: str


@span("decoding")
def write_teacher_images(
    folder: Path,
    params: DataParams,
    dataset: RawDataset,
    split: dict[str, np.ndarray],
    unlabelled: Sequence[str],
    own: TeacherImageFormat,
    decoded: DecodedImages | None = None,
) -> TeacherImages:
    """Read the originals again, in a size and with channels of the teacher's own.

    Rows are those of the prepared dataset and of the images without a label. A few images are in
    memory at a time. Where the teacher sees what the student sees, there are none.

    Args:
        folder: usually `data/teacher-images`; it appears whole or not at all.
        params: section `data`.
        dataset: as of `load_dataset`.
        split: rows of each split, as of `split_dataset`.
        unlabelled: names of the images without a label.
        own: the teacher's form; where it has none, no image is written.
        decoded: images that need not be decoded again.

    Raises:
        DatasetError: an image is not found again, or two have one name.
    """
    if own == TeacherImageFormat():
        record = TeacherImages(shape=None)
        with atomic_folder(folder) as new:
            record.write(new / DESCRIPTION)
        return record
    *student_size, student_channels = dataset.images.shape[1:]
    height, width = own.image_size or student_size
    size, shape = (height, width), (height, width, own.channels or student_channels)
    splits = dict.fromkeys((*_SPLITS, *params.source.teacher_labelled))
    names = {name: [dataset.origins[row] for row in split[name]] for name in splits}
    names[_UNLABELLED] = list(unlabelled)
    record = TeacherImages(shape=shape)
    deep_range, budget = dataset.deep_range or params.range, PixelBudget(params.max_pixels)
    reader = ImageReader(params.max_pixels, deep_range, decoded, budget)
    with atomic_folder(folder) as new, quiet_decoding():
        # Two, since a folder of `data.path` may be called as what names images without a label.
        rows: dict[str, np.ndarray] = {}
        bare: dict[str, np.ndarray] = {}
        for part, listed in names.items():
            array = new_file(new / f"{part}.npy", (len(listed), *shape), np.uint8)
            named = bare if part == _UNLABELLED else rows
            for row, name in enumerate(listed):
                if name in named:
                    raise DatasetError(
                        f"two images are called {name}, so that the teacher's cannot be told "
                        "apart; let the source name each image once, or set teacher.input.size "
                        "and teacher.input.channels to null"
                    )
                named[name] = array[row]
        jobs: list[_Job] = []
        owners = {*rows, *map(image_of, rows)}
        for item in params.source.items(Path(params.path)):
            if isinstance(item, Item) and item.name in owners:
                jobs.append(_Job(item.name, item.image, rows, ""))
        owners = {*bare, *map(image_of, bare)}
        for path in files_below(drawer := Path(params.unlabelled)):
            name = relative_name(path, drawer)
            if UNLABELLED + name in owners:
                jobs.append(_Job(name, path, bare, UNLABELLED))

        def fill(job: _Job) -> None:
            with reader.room(job.image, size):
                pieces = params.source.pieces(
                    job.name, job.image, reader, params.image_size, shape[2], size
                )
            for piece, pixels in pieces:
                if job.prefix + piece in job.rows:
                    job.rows.pop(job.prefix + piece)[...] = pixels

        for _ in with_progress(in_order(fill, jobs), len(jobs), "reading images for the teacher"):
            pass
        if lost := [*rows, *bare]:
            raise DatasetError(
                f"{len(lost)} images, {lost[0]} among them, were not found again for the "
                "teacher (teacher.input.size, teacher.input.channels); the source has to name each "
                "image as its item: set both to null, or correct `pieces` of the source"
            )
        record.write(new / DESCRIPTION)
    return record


def teacher_images(folder: Path, part: str) -> np.ndarray:
    """Map images as the teacher sees them: uint8 [N, height, width, channels], read-only.

    Args:
        folder: what `write_teacher_images` wrote.
        part: a split, `calibration` only where it has no labels, or `unlabelled`; rows as of the
            student's images.

    Raises:
        DatasetError: there are none, or the file is damaged.
    """
    if TeacherImages.read(folder / DESCRIPTION).shape is None:
        raise DatasetError(f"{folder} holds no images of the teacher's own; {ADVICE}")
    path = folder / f"{part}.npy"
    try:
        images: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read ({error}); {ADVICE}") from None
    return images


def teacher_training_images(folder: Path, kept: np.ndarray) -> StackedRows:
    """Give what the teacher is asked about: the training split, then images without a label.

    Args:
        folder: what `write_teacher_images` wrote.
        kept: rows of the images without a label, integers.
    """
    train, unlabelled = (teacher_images(folder, part) for part in ("train", "unlabelled"))
    everything = np.arange(len(train))
    return StackedRows((train, everything), (unlabelled, kept))
