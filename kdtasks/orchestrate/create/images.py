"""What images are, before a project of them is begun: their source, classes, sizes, colours."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.core.text import and_list, quantity
from kdtasks.data.masks import index_values
from kdtasks.data.pairs import find_pairs, propose_suffix
from kdtasks.data.sources import Item, Source
from kdtasks.data.sources.table import ImageTable
from kdtasks.edge.decoder import Decoder, quiet_decoding
from kdtasks.orchestrate.create.layouts import labelled, source_of, told_by_table
from kdtasks.tasks.imbalance import is_uneven
from kdtasks.tasks.registry import task_of

# Of larger datasets, so many files are opened for their headers, and so many masks and images read.
_HEADERS, _MASKS, _IMAGES = 5_000, 200, 30
_MOST_CLASSES = 60
_SPLITS = 4


@dataclass(frozen=True)
class Images:
    """A dataset as it lies there.

    Attributes:
        source: that reads it, with what it has to be told.
        path: for `data.path`.
        links: folders outside that `path` gets links to, by their names there.
        items: images and labels, unread.
        class_names: in the order of their labels.
        sizes: height and width of the images that were opened, int [N, 2].
        is_grey: whether no image has colours.
        bad: what cannot be used.
        notes: sentences on the layout that was found.
        unlabelled: folder of images that no row of a table names.
    """

    source: Source
    path: Path
    links: dict[str, Path]
    items: Sequence[Item]
    class_names: tuple[str, ...]
    sizes: np.ndarray
    is_grey: bool
    bad: tuple[Problem, ...]
    notes: Sequence[str] = field(default=())
    unlabelled: Path | None = None

    @property
    def is_segmentation(self) -> bool:
        """Whether labels are masks."""
        return task_of(self.source.task).per_pixel

    @property
    def is_uneven(self) -> bool:
        """Whether one class has so many more images than another that accuracy says little."""
        return is_uneven(Counter(it.label for it in self.items if isinstance(it.label, int)))

    @property
    def side(self) -> int:
        """The shorter side of most images, in pixels: its median."""
        return int(np.median(self.sizes.min(axis=1)))

    def sentence(self) -> str:
        """Say what there is: 5 classes, 3,670 photos, 64 to 500 pixels."""
        low, high = self.sizes.min(), self.sizes.max()
        pixels = f"{low} to {high} pixels" if low < high else f"{low}×{low} pixels"
        what = f"{'grey ' * self.is_grey}image"
        told = f"{len(self.class_names)} classes, {quantity(len(self.items), what)}, {pixels}"
        return f"{told}, each with a mask" if self.is_segmentation else told


def look_at(images: Path, masks: Path | None, task: str | None) -> Images:
    """Look at a folder of images, or at a table of them; nothing is copied.

    Args:
        images: a folder in any layout, with or without a table in it, or a table.
        masks: their masks, for segmentation.
        task: `classification` or `segmentation`; None goes by whether there are masks.

    Raises:
        DatasetError: there is nothing to learn from, and why.
    """
    if not images.exists():
        raise DatasetError(f"{images} not found; give a folder of images, or a table, as --images")
    if task is None:
        inside = all((images / name).is_dir() for name in ("images", "masks"))
        wants_masks = masks is not None or inside
    else:
        wants_masks = task_of(task.lower()).per_pixel
    if masks is not None and not wants_masks:
        raise DatasetError("--masks are for segmentation; leave out --task, or --masks")
    links: dict[str, Path] = {}
    unlabelled = None
    if wants_masks:
        source, links = _masked(images, masks)
        path = images
    else:
        source, path = labelled(images, is_told=task is not None)
    notes: list[str] = []
    if isinstance(source, ImageTable):
        source, unlabelled = told_by_table(source, path, notes)
    probe, folder = _where_links_lead(source, links) if links else (source, path)
    notes = [*probe.layout_found(folder), *notes]
    if path not in (images, images.parent):
        notes.append(f"data.path is {path}: nothing beside it holds classes")
    found = list(probe.items(folder))
    items = [one for one in found if isinstance(one, Item)]
    bad = [one for one in found if isinstance(one, Problem)]
    names = source.class_names(path)
    with quiet_decoding():
        sizes, broken = _headers(items)
        is_grey = all(_is_grey(item.image) for item in _some(items, _IMAGES))
    if not len(sizes):
        raise DatasetError(f"{images} holds no image that can be read; export them as JPEG or PNG")
    items = [item for item in items if item.name not in {problem.path for problem in broken}]
    _refuse_few(items, names, images)
    return Images(source, path, links, items, names, sizes, is_grey, tuple(sorted([*bad, *broken])),
                  notes, unlabelled)  # fmt: skip


def write_links(folder: Path, images: Images) -> Path:
    """Put links into a folder where images and masks lie apart; give the folder to read from."""
    if not images.links:
        return images.path
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in images.links.items():
        (folder / name).symlink_to(target.resolve(), target_is_directory=True)
    return folder


def _masked(images: Path, masks: Path | None) -> tuple[Source, dict[str, Path]]:
    """Find what masks hold; where they lie apart from the images, both become links."""
    inside = [images / name for name in ("images", "masks")]
    if masks is None and all(path.is_dir() for path in inside):
        images, masks = inside
        links = {}
    else:
        links = {"images": images, "masks": masks or images}
    for path in (images, masks or images):
        if not path.is_dir():
            raise DatasetError(f"{path} is no folder; give those of the images and of their masks")
    images, masks = images.resolve(), (masks or images).resolve()
    suffix = propose_suffix(images, masks)
    found = find_pairs(_above(images, masks), images, masks, suffix)
    paths = [one.mask for one in found if not isinstance(one, Problem)]
    given = {} if suffix is None else {"mask_suffix": suffix}
    return source_of(name="segmentation_folder", classes=_mask_classes(paths), **given), links


def _where_links_lead(source: Source, links: dict[str, Path]) -> tuple[Source, Path]:
    """Give a source that reads what links are yet to lead to, and the folder above all."""
    folder = _above(*links.values())
    names = {name: path.resolve().relative_to(folder).as_posix() for name, path in links.items()}
    return source.model_copy(update=names), folder


def _above(*folders: Path) -> Path:
    return Path(os.path.commonpath([path.resolve() for path in folders]))


def _mask_classes(masks: Sequence[Path]) -> dict[str, str | int]:
    """Name the values in masks: indices, or else colours.

    Raises:
        DatasetError: there are too few of them, or too many for classes.
    """
    decoder, values, colours = Decoder(), set[int](), set[int]()
    is_coloured = False
    with quiet_decoding():
        for path in _some(masks, _MASKS):
            try:
                values |= index_values(path, decoder)
            except DatasetError:
                is_coloured = True
            image = decoder.open_upright(path)
            if image.mode in ("P", "RGB", "RGBA"):
                pixels = np.asarray(image.convert("RGB")).astype(np.int64)
                colours |= set(np.unique(pixels @ [1 << 16, 1 << 8, 1]).tolist())
    values -= {255} if values - {0, 255} else set()
    found: dict[str, str | int] = {f"class_{value}": value for value in sorted(values)}
    if is_coloured:
        found = {f"colour_{code:06X}": f"#{code:06X}" for code in sorted(colours)}
    elif len(values) == 2 and 0 in values:
        found = {"background": 0, "object": max(values)}
    if not 2 <= len(found) <= _MOST_CLASSES:
        raise DatasetError(
            f"the masks hold {quantity(len(found), 'value')}, of classes there are 2 to "
            f"{_MOST_CLASSES}; save masks as PNG in which a pixel is the number of its class"
        )
    return found


def _headers(items: Sequence[Item]) -> tuple[np.ndarray, list[Problem]]:
    decoder, sizes, broken = Decoder(), [], []
    for item in _some(items, _HEADERS):
        assert isinstance(item.image, Path)
        try:
            sizes.append(decoder.header(item.image).upright_size)
        except DatasetError as error:
            broken.append(Problem(item.name, str(error)))
    return np.array(sizes, int).reshape(-1, 2), broken


def _is_grey(image: Path | np.ndarray) -> bool:
    try:
        pixels = Decoder(deep_range=(0, 65535)).read(image, channels=3).pixels.astype(int)
    except DatasetError:  # told of elsewhere
        return True
    return bool(np.ptp(pixels, axis=-1).max() <= 2)  # of a JPEG, rounding may leave so much


def _some(items: Sequence[Any], most: int) -> Sequence[Any]:
    """Take so many at most, evenly."""
    return [items[place] for place in np.unique(np.linspace(0, len(items) - 1, most).astype(int))]


def _refuse_few(items: Sequence[Item], class_names: Sequence[str], images: Path) -> None:
    """Refuse what cannot be in every split."""
    if isinstance(items[0].label, int):
        counts = Counter(item.label for item in items)
        few = [name for label, name in enumerate(class_names) if counts[label] < _SPLITS]
        if few:
            raise DatasetError(
                f"{and_list(few[:3])} of {images} "
                f"{'has' if len(few) == 1 else 'have'} fewer than {_SPLITS} images that can be "
                "read, and each class needs one for training, validation, calibration and test; "
                "add images, or take the class away"
            )
    elif len(items) < _SPLITS:
        raise DatasetError(
            f"{images} holds {quantity(len(items), 'image')} with a mask; {_SPLITS} are needed at "
            "least, one for training, validation, calibration and test each"
        )
