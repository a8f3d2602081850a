"""Images without a label: read, checked against those that models are tested by, written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.events import span
from kdtasks.core.files import atomic_folder, write_lists
from kdtasks.core.progress import with_progress
from kdtasks.core.records.data import Problem, Unlabelled
from kdtasks.core.threads import in_order
from kdtasks.data.checks import first_equal, listed
from kdtasks.data.decoded_images import DecodedImages
from kdtasks.data.folders import files_below, relative_name, require_folder
from kdtasks.data.image_reader import ImageReader
from kdtasks.data.leaks import Pieces, find_leaks
from kdtasks.data.prepared import ADVICE, NAMES, UNLABELLED, read_names
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.spool import Spool
from kdtasks.data.stacked_rows import StackedRows, rows_of, write_rows
from kdtasks.edge.decoder import Decoder, quiet_decoding
from kdtasks.edge.pixel_budget import PixelBudget
from kdtasks.tasks.registry import task_of

IMAGES, _DESCRIPTION = "images.npy", "unlabelled.json"
_KEY = "unlabelled"


class UnlabelledImages(NamedTuple):
    """What `read_unlabelled` found.

    Attributes:
        images: uint8 [N, height, width, channels], read by rows.
        names: [N], each `UNLABELLED` and the path below `data.unlabelled`.
        record: what is said of them.
    """

    images: Any
    names: tuple[str, ...]
    record: Unlabelled


@span("decoding")
def read_unlabelled(
    params: DataParams,
    dataset: RawDataset,
    split: dict[str, np.ndarray],
    decoded: DecodedImages | None = None,
) -> UnlabelledImages:
    """Read every image below `data.unlabelled` as the source reads its own, each once.

    An image that is in the validation, calibration or test split too, or nearly, is excluded, and
    what a chain of near copies leads to, such as the other frames of a film: the teacher's answer
    to it would teach the student what it is tested by. One of the training split is there already.

    Args:
        params: section `data`.
        dataset: as of `load_dataset`.
        split: rows of each split, as of `split_dataset`.
        decoded: images that need not be decoded again.

    Raises:
        DatasetError: an image cannot be used, under `on_bad: fail`.
    """
    folder = require_folder(Path(params.unlabelled), "a folder of images", key="data.unlabelled")
    height, width, channels = dataset.images.shape[1:]
    whole = None if task_of(dataset.task).per_pixel else (height, width)
    names: list[str] = []
    spool = Spool()
    files: list[int] = []  # of each piece
    problems: list[Problem] = []
    deep_range, budget = dataset.deep_range or params.range, PixelBudget(params.max_pixels)
    reader = ImageReader(params.max_pixels, deep_range, decoded, budget)
    size = params.image_size or whole

    def read(path: Path) -> Sequence[tuple[str, np.ndarray]] | Problem:
        name = relative_name(path, folder)
        try:
            with reader.room(path, size):
                if params.range is None:
                    _refuse_clipped(path, reader)
                return params.source.pieces(name, path, reader, size, channels)
        except DatasetError as error:
            return Problem(name, str(error))

    paths = list(files_below(folder))
    with quiet_decoding():
        results = with_progress(in_order(read, paths), len(paths), "reading images without a label")
        for number, result in enumerate(results):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                for name, pixels in result:
                    names.append(name)
                    spool.extend(pixels[np.newaxis])
                files += [number] * len(result)
    if problems and params.on_bad == "fail":
        lines = [f"{problem.path}: {problem.problem}" for problem in problems]
        raise DatasetError(
            f"{folder} has images that cannot be used; fix them, or set data.on_bad to skip to go "
            f"on without them:\n{listed(lines)}"
        )
    if not names:
        record = Unlabelled(images=0, excluded=tuple(sorted(problems)), repeated=0)
        return UnlabelledImages(dataset.images[:0], (), record)
    images = spool.array()
    both = [(array, np.arange(len(array))) for array in (dataset.images, images)]
    first = first_equal(StackedRows(*both))[len(dataset) :]
    held_out = np.setdiff1d(np.arange(len(dataset)), split["train"])
    leaks = find_leaks(Pieces(names, images, np.array(files), first), dataset, held_out, params)
    problems += [
        Problem(names[row], f"{how} {dataset.origins[twin]}, which models are chosen or tested by")
        for row, (how, twin) in leaks.items()
    ]
    is_new = first == np.arange(len(dataset), len(dataset) + len(images))
    kept = np.setdiff1d(np.flatnonzero(is_new), list(leaks))
    record = Unlabelled(
        images=len(kept),
        excluded=tuple(sorted(problems)),
        repeated=len(images) - len(leaks) - len(kept),
    )
    return UnlabelledImages(
        rows_of(images, kept), tuple(UNLABELLED + names[row] for row in kept), record
    )


def _refuse_clipped(path: Path, decoder: Decoder) -> None:
    """Refuse 16 bits a channel beyond the range that the dataset's own images were found to have.

    Raises:
        DatasetError: in a few words.
    """
    if decoder.deep_range is None or not decoder.header(path).deep:
        return
    highest, white = decoder.highest_value(path), decoder.deep_range[1]
    if highest > white:
        raise DatasetError(
            f"16 bits a channel up to {highest:,}, and {white:,} is white by the largest value of "
            "data.path; set data.range to what holds for both"
        )


def write_unlabelled(folder: Path, unlabelled: UnlabelledImages) -> None:
    """Write images, names and record; the folder appears whole or not at all."""
    with atomic_folder(folder) as partial:
        write_rows(partial / IMAGES, unlabelled.images)
        write_lists(partial / NAMES, {_KEY: unlabelled.names})
        unlabelled.record.write(partial / _DESCRIPTION)


def open_unlabelled(folder: Path) -> np.ndarray:
    """Map the images without a label: uint8 [N, height, width, channels], read-only.

    Raises:
        DatasetError: the file is missing or damaged.
    """
    try:
        images: np.ndarray = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DatasetError(f"{folder / IMAGES} cannot be read ({error}); {ADVICE}") from None
    return images


def unlabelled_names(folder: Path) -> Sequence[str]:
    """Name the images without a label, as `UnlabelledImages` does.

    Raises:
        DatasetError: a file is missing or damaged.
    """
    return read_names(folder / NAMES, _KEY, len(open_unlabelled(folder)))
