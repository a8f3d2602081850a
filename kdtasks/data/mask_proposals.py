"""Where the masks of images lie, and which classes they hold, before anyone has written params."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.subset import evenly_spaced
from kdtasks.core.text import quantity
from kdtasks.data.folders import inner_folders
from kdtasks.data.full_value import FULL
from kdtasks.data.given_splits import split_named
from kdtasks.data.masks import index_values
from kdtasks.data.pairs import Pair, find_pairs, propose_suffix
from kdtasks.data.proposal import Proposal, source_of
from kdtasks.data.sources import Item
from kdtasks.edge.decoder import Decoder, quiet_decoding

# Folders beside the images that hold what was drawn on them.
OF_MASKS = re.compile(r"(.*[_ -])?(gt(fine|coarse)?|masks?|segmentations?)", re.I)
_BY_CONTENT = re.compile(f"{OF_MASKS.pattern}|labels?|annotations?", re.I)
_IMAGES_AND_MASKS = {"images": "images", "masks": "masks"}

# Masks that are read, and of these the ones that colours are counted in, of which one has at least
# that fraction of the pixels: what a JPEG or a smooth resize has put between two has fewer.
_MASKS, _COLOURED, _LEAST_SHARE = 500, 50, 0.001
_MOST_CLASSES = 60


def masks_inside(folder: Path) -> dict[str, str] | None:
    """Name the folders of images and of masks in a folder, or in each of its folders of splits.

    In the latter, what is called like masks has to hold some: `mask` may be a class as well.
    """
    if all((folder / name).is_dir() for name in _IMAGES_AND_MASKS):
        return _IMAGES_AND_MASKS
    train = [inner for inner in inner_folders(folder) if split_named(inner.name) == "train"]
    if len(train) != 1 or not all(split_named(each.name) for each in inner_folders(folder)):
        return None
    inner = inner_folders(train[0])
    drawn = [each for each in inner if _BY_CONTENT.fullmatch(each.name)]
    if len(inner) != 2 or len(drawn) != 1:
        return None
    photos = next(each for each in inner if each not in drawn)
    try:
        found = list(find_pairs(folder, photos, drawn[0], None))
        pairs = [pair for pair in found if isinstance(pair, Pair)]
        propose_classes([pair.mask for pair in pairs])
    except DatasetError:
        return None
    return {"images": photos.name, "masks": drawn[0].name} if 2 * len(pairs) > len(found) else None


def lie_beside(folder: Path) -> bool:
    """Whether half of the images in a folder have a mask beside them, by its name."""
    try:
        found = list(find_pairs(folder, folder, folder, None))
    except DatasetError:
        return False
    return 2 * sum(isinstance(pair, Pair) for pair in found) >= len(found) > 0


def masked(images: Path, masks: Path | None) -> Proposal:
    """Find the source of images and masks; where these lie apart, both become links.

    Args:
        masks: a folder in that of the images, or elsewhere; None finds it out.

    Raises:
        DatasetError: there are no pairs, or no classes in their masks.
    """
    for path in (images, masks or images):
        if not path.is_dir():
            raise DatasetError(f"{path} is no folder; give those of the images and of their masks")
    source: dict[str, Any] = {"name": "segmentation_folder"}
    links: dict[str, Path] = {}
    if masks is None:
        source |= masks_inside(images) or {"images": ".", "masks": "."}
    elif inside := _inside(images, masks):
        source |= inside
    else:
        links = {"images": images, "masks": masks}
    folders = links or {key: images / source[key] for key in _IMAGES_AND_MASKS}
    if all(path.is_dir() for path in folders.values()):  # not those in folders of splits
        suffix = propose_suffix(folders["images"], folders["masks"])
        source |= {} if suffix is None else {"mask_suffix": suffix}
    probe = Proposal(source_of(**source, classes={}), images, links)
    reader, folder = probe.with_links_resolved()
    labels = [item.label for item in reader.items(folder) if isinstance(item, Item)]
    if not labels:
        raise DatasetError(
            f"{masks or images} holds no mask of an image in {images}; put images into one folder "
            "and masks of the same names into another, such as images/1.jpg and masks/1.png"
        )
    classes = propose_classes([mask for mask in labels if isinstance(mask, Path)])
    return Proposal(source_of(**source, classes=classes), images, links)


def _inside(images: Path, masks: Path) -> dict[str, str] | None:
    """Name the folder of masks below that of the images, and the one that holds what they show.

    Of the folders beside that of masks, or beside one that it lies in, and of the given one itself,
    that is the one with the most pairs. Links are not followed; None where the masks lie apart.
    """
    outer, drawn = (Path(os.path.abspath(path)) for path in (images, masks))  # noqa: PTH100
    if not drawn.is_relative_to(outer):
        return None
    beside = [
        path
        for inner in (drawn, *drawn.parents)
        if inner != outer and inner.is_relative_to(outer)
        for path in sorted(inner_folders(inner.parent), key=_unlike_images)
        if path != inner
    ]
    photos = max((*beside, outer), key=lambda path: _pairs(outer, path, drawn))
    return {
        key: path.relative_to(outer).as_posix()
        for key, path in {"images": photos, "masks": drawn}.items()
    }


def _unlike_images(folder: Path) -> tuple[bool, bool]:
    return folder.name != "images", OF_MASKS.fullmatch(folder.name) is not None


def _pairs(folder: Path, images: Path, masks: Path) -> int:
    try:
        found = list(find_pairs(folder, images, masks, propose_suffix(images, masks)))
    except DatasetError:
        return 0
    return sum(isinstance(pair, Pair) for pair in found)


def propose_classes(masks: Sequence[Path]) -> dict[str, str | int]:
    """Give every value that masks hold a name: indices, or colours where most are coloured.

    A value of 255 is left to be found out, beside other indices than 0.

    Args:
        masks: files, of which those that cannot be read are passed over; of many, some are read.

    Raises:
        DatasetError: no mask can be read, or there are other numbers of values than of classes.
    """
    masks, decoder = evenly_spaced(masks, _MASKS), Decoder()
    with quiet_decoding():
        read = [values for path in masks for values in _index_values(path, decoder)]
        if len(read) < len(masks) / 2:
            return _colours(evenly_spaced(masks, _COLOURED), decoder)
    values = set[int]().union(*read)
    values -= {FULL} if values - {0, FULL} else set()
    if not 2 <= len(values) <= _MOST_CLASSES or max(values) > FULL:
        raise DatasetError(
            f"the masks hold {quantity(len(values), 'value')}, of classes there are 2 to "
            f"{_MOST_CLASSES}; save masks as PNG in which a pixel is the number of its class, up "
            f"to {FULL}, or has a colour for each"
        )
    if len(values) == 2 and 0 in values:
        return {"background": 0, "object": max(values)}
    return {f"class_{value}": value for value in sorted(values)}


def _index_values(path: Path, decoder: Decoder) -> Iterator[set[int]]:
    try:
        yield index_values(path, decoder)
    except DatasetError:
        return


def _colours(masks: Sequence[Path], decoder: Decoder) -> dict[str, str | int]:
    counts, pixels = Counter[int](), 0
    for path in masks:
        try:
            image = decoder.open_upright(path).convert("RGB")
        except (DatasetError, ValueError):
            continue
        red, green, blue = np.moveaxis(np.asarray(image).astype(np.int32), -1, 0)
        values, numbers = np.unique(red << 16 | green << 8 | blue, return_counts=True)
        counts.update(dict(zip(values.tolist(), numbers.tolist(), strict=True)))
        pixels += red.size
    least = _LEAST_SHARE * pixels if len(counts) > _MOST_CLASSES else 0
    often = [value for value, number in counts.items() if number >= least]
    if not 2 <= len(often) <= _MOST_CLASSES:
        raise DatasetError(
            f"the masks hold {quantity(len(counts), 'colour')}, {len(often)} of them often, of "
            f"classes there are 2 to {_MOST_CLASSES}; save masks as PNG, or name the colours in "
            "data.source.classes"
        )
    return {f"colour_{value:06X}": f"#{value:06X}" for value in sorted(often)}
