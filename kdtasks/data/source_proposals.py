"""What a folder or a table holds, found out before anyone has written params."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.folders import require_folder, visible_entries
from kdtasks.data.full_value import FULL
from kdtasks.data.masks import index_values
from kdtasks.data.pairs import Pair, find_pairs
from kdtasks.data.settings import DataParams
from kdtasks.data.sources.file_names import FileNames
from kdtasks.data.sources.image_folder import ImageFolder
from kdtasks.data.sources.table import ImageTable
from kdtasks.data.tables import ENDINGS
from kdtasks.edge.decoder import Decoder, quiet_decoding

# Sizes that images are looked at in: enough to find near copies and to see what is on them.
LOOK_SIZE, MASK_LOOK_SIZE = (96, 96), (256, 256)
# Images that are looked at, at most: all of a million would not fit into memory.
LOOK_IMAGES = 20_000
SPLIT = {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}

# Masks that colours are counted in, and the fraction of the pixels that one has at least: what a
# JPEG or a smooth resize has put between two colours has fewer.
_MASKS, _LEAST_SHARE = 50, 0.001
_MOST_COLOURS = 64


def propose_params(path: Path, masks: str | None = None) -> DataParams:
    """Find out what reads a folder of images or a table, with everything else at its default.

    Args:
        path: a folder; or a table, beside its images.
        masks: folder below it that holds masks, `.` where they lie beside their images; None finds
            out whether there are folders `images` and `masks`, or masks beside images.

    Raises:
        DatasetError: nothing that is known fits, and what was expected.
    """
    if path.suffix.lower() in ENDINGS and path.is_file():
        return _params(path.parent, {"name": "table", "file": path.name})
    require_folder(path, "a folder of images, or a table of them,", key="the path")
    if masks is not None:
        return _mask_params(path, masks)
    if (path / "images").is_dir() and (path / "masks").is_dir():
        return _mask_params(path, "masks")
    for table in tables_in(path):
        if _has_classes(ImageTable(file=table), path):
            return _params(path, {"name": "table", "file": table})
    try:
        ImageFolder().class_names(path)
    except DatasetError:
        if any(entry.is_dir() for entry in visible_entries(path)):
            raise
        if _lie_beside(path):
            return _mask_params(path, ".")
        if not _has_classes(FileNames(), path):
            raise
        return _params(path, {"name": "file_names"})
    return _params(path, {"name": "image_folder"})


def _params(path: Path, source: dict[str, Any], **keys: Any) -> DataParams:
    content = {"source": source, "path": str(path), "image_size": LOOK_SIZE, "channels": 3}
    content |= {"max_images": LOOK_IMAGES, "split": SPLIT}
    return DataParams.model_validate(content | keys)


def _mask_params(path: Path, masks: str) -> DataParams:
    images = "." if masks == "." else _beside(path, Path(masks).parts[0])
    pairs = [each for each in find_pairs(path, path / images, path / masks, None)
             if isinstance(each, Pair)]  # fmt: skip
    classes = propose_classes([pair.mask for pair in pairs])
    source = {"name": "segmentation_folder", "images": images, "masks": masks, "classes": classes}
    return _params(path, source, image_size=MASK_LOOK_SIZE)


def _beside(path: Path, masks: str) -> str:
    """Name the folder of images beside one of masks: `images`, or the only other one."""
    folders = [each.name for each in visible_entries(path) if each.is_dir() and each.name != masks]
    if "images" in folders or len(folders) != 1:
        return "images"
    return folders[0]


def propose_classes(masks: Sequence[Path]) -> dict[str, str | int]:
    """Give every value that masks hold a name: indices, or colours in some of them.

    A value of 255 is left to be found out, beside other indices than 0.

    Args:
        masks: files, of which those that cannot be read are passed over.

    Raises:
        DatasetError: no mask can be read, or there are more values than classes can have.
    """
    decoder = Decoder()
    with quiet_decoding():
        found = [values for path in masks for values in _index_values(path, decoder)]
        indices = set().union(*found)
        if len(found) < len(masks) / 2:
            return _colours(masks[:: -(-len(masks) // _MASKS)], decoder)
    if indices == {0, FULL}:
        return {"background": 0, "object": FULL}
    if not indices or max(indices) > FULL or len(indices) > _MOST_COLOURS:
        raise DatasetError(
            f"masks hold {len(indices)} values, classes of 0 … 255 were expected; save masks as "
            "PNG with a value or a colour for each class"
        )
    return {f"class {index}": index for index in sorted(indices - {FULL})}


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
    least = _LEAST_SHARE * pixels if len(counts) > _MOST_COLOURS else 0
    often = [value for value, number in counts.items() if number >= least]
    if not often or len(often) > _MOST_COLOURS:
        raise DatasetError(
            f"masks hold {len(counts)} colours, {len(often)} of them often; one for each class was "
            "expected: save masks as PNG, or name the colours in data.source.classes"
        )
    return {f"colour {value:06X}": f"#{value:06X}" for value in sorted(often)}


def tables_in(folder: Path) -> list[str]:
    """Name the tables in a folder, those of training images first."""
    names = [path.name for path in visible_entries(folder) if path.suffix.lower() in ENDINGS]
    return sorted(names, key=lambda name: (not name.lower().startswith(("train", "label")), name))


def _has_classes(source: ImageTable | FileNames, folder: Path) -> bool:
    try:
        return len(source.class_names(folder)) > 1
    except DatasetError:
        return False


def _lie_beside(folder: Path) -> bool:
    """Whether half of the images in a folder have a mask beside them, by its name."""
    try:
        found = list(find_pairs(folder, folder, folder, None))
    except DatasetError:
        return False
    return 2 * sum(isinstance(each, Pair) for each in found) >= len(found)
