"""A folder of pictures: one folder a class, pictures of any size and mode."""

from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.settings import DataParams
from kdtasks.data.source import Problem, Source, origin_of, require_folder, visible_entries
from kdtasks.data.split import choose_rows
from kdtasks.edge.images import read_picture, strict_decoding


def load_image_folder(params: DataParams) -> Source:
    """Read every picture at `image_size`; whatever is wrong is listed in `Source.problems`.

    Classes are the folders, in order of their names. With `max_images`, files are chosen before
    any is decoded, so that a try-out of a large folder is quick.

    Raises:
        DatasetError: the folder is missing, or `max_images` is too small.
    """
    root = require_folder(Path(params.path), "the folder that holds one folder a class")
    files, labels, class_names, problems = _list_classes(root)
    rows = choose_rows(labels, params.max_images, seed=params.seed, needed=4)
    files, labels = [files[row] for row in rows], labels[rows]
    height, width = params.image_size or (0, 0)
    channels = params.channels or 3
    images = np.empty((len(files), height, width, channels), np.uint8)
    readable = np.zeros(len(files), bool)
    with strict_decoding():
        for row, path in enumerate(files):
            try:
                images[row] = read_picture(path, image_size=(height, width), channels=channels)
                readable[row] = True
            except DatasetError as error:
                problems.append(Problem(origin_of(path, root), str(error)))
    source = Source(
        task="classification",
        images=images,
        labels=labels,
        class_names=tuple(class_names),
        origins=tuple(origin_of(path, root) for path in files),
        problems=tuple(sorted(problems)),
        contradictions_are_problems=True,
    )
    return source if readable.all() else source.take(np.flatnonzero(readable))


def _list_classes(root: Path) -> tuple[list[Path], np.ndarray, list[str], list[Problem]]:
    files: list[Path] = []
    labels: list[int] = []
    class_names: list[str] = []
    problems: list[Problem] = []
    for folder in visible_entries(root):
        name = origin_of(folder, root)
        if not folder.is_dir():
            problems.append(Problem(name, "beside the class folders, not in one of them"))
            continue
        entries = visible_entries(folder)
        if not entries:
            problems.append(Problem(name, "an empty class folder"))
            continue
        for path in entries:
            if path.is_dir():
                problems.append(Problem(origin_of(path, root), "a folder in a class folder"))
                continue
            files.append(path)
            labels.append(len(class_names))
        class_names.append(name)
    return files, np.array(labels, np.int32), class_names, problems
