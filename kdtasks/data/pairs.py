"""Find the mask of every image by their names."""

import re
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.core.text import quantity
from kdtasks.data.folders import relative_name, require_folder, visible_entries

# What a mask beside its image is called after it.
_MASK_WORDS = re.compile(
    r"[ _.-]?(?:masks?|labels?|label_?ids?|seg|segmentations?|gt|ground_?truth|annotations?)$", re.I
)
Files = dict[str, Path]


class Pair(NamedTuple):
    """An image and its mask."""

    image: Path
    mask: Path


def find_pairs(
    folder: Path, images: Path, masks: Path, suffix: str | None
) -> Iterator[Pair | Problem]:
    """List images with their masks: `photo.jpg` goes with `photo.png`, or with `photo_mask.png`.

    Names are compared without their endings, in the composed form of Unicode (NFC).

    Args:
        folder: `data.path`, which names are told below.
        images, masks: folders; one folder may hold both.
        suffix: what follows an image's name in its mask's; None finds one that all masks have.

    Raises:
        DatasetError: a folder is missing, or no image has a mask.
    """
    of_images = yield from _by_stem(folder, images, "image")
    together = images.resolve() == masks.resolve()
    of_masks = of_images if together else (yield from _by_stem(folder, masks, "mask"))
    if suffix is None:
        suffix = _found_suffix(of_images, of_masks, together)
    if together:
        of_masks = {
            stem: path
            for stem, path in of_images.items()
            if suffix and stem.endswith(suffix) and stem.removesuffix(suffix) in of_images
        }
        of_images = {stem: path for stem, path in of_images.items() if stem not in of_masks}
    of_masks = {
        stem.removesuffix(suffix) if suffix and stem not in of_images else stem: path
        for stem, path in of_masks.items()
    }
    if of_images and not of_images.keys() & of_masks.keys():
        raise _without_masks(folder, of_images, of_masks, masks)
    for stem in sorted(of_images.keys() | of_masks.keys()):
        if stem not in of_masks:
            yield Problem(relative_name(of_images[stem], folder), "an image without a mask")
        elif stem not in of_images:
            yield Problem(relative_name(of_masks[stem], folder), "a mask without an image")
        else:
            yield Pair(of_images[stem], of_masks[stem])


def told_suffix(pairs: Sequence[Pair]) -> Sequence[str]:
    """Say what follows the names of images in those of their masks, where anything does."""
    suffixes = Counter(
        normalize("NFC", pair.mask.stem).removeprefix(normalize("NFC", pair.image.stem))
        for pair in pairs
    )
    suffixes.pop("", None)
    return [
        f"the masks of {quantity(count, 'image')} are called as the image and {suffix!r} "
        "(data.source.mask_suffix sets another)"
        for suffix, count in suffixes.most_common()
    ]


def _found_suffix(images: Mapping[str, Path], masks: Mapping[str, Path], together: bool) -> str:
    """Find what follows the most images' names in their masks'; "" where none is needed."""
    if together:
        endings = {stem: _MASK_WORDS.search(stem) for stem in masks}
        found = [
            end[0] for stem, end in endings.items() if end and stem.removesuffix(end[0]) in images
        ]
    elif images.keys() & masks.keys():
        return ""
    else:
        found = [
            stem[cut:]
            for stem in masks
            for cut in [max((n for n in range(len(stem)) if stem[:n] in images), default=0)]
            if cut
        ]
    often = Counter(found)
    return min(often, key=lambda each: (-often[each], each), default="")


def _without_masks(folder: Path, images: Files, masks: Files, where: Path) -> DatasetError:
    first = next(iter(sorted(images)))
    shown = ", ".join(path.name for _, path in sorted(masks.items())[:3])
    there = f"holds {shown}{' …' if len(masks) > 3 else ''}" if masks else "has no mask"
    name = "" if where == folder else f" {relative_name(where, folder)}/"
    return DatasetError(
        f"none of the {quantity(len(images), 'image')} has a mask: "
        f"{relative_name(images[first], folder)} needs {first}.png or {first}_mask.png in"
        f"{name or ' the same folder'}, which {there}; rename the masks, or set "
        "data.source.mask_suffix to what follows an image's name in its mask's"
    )


def _by_stem(folder: Path, place: Path, what: str) -> Generator[Problem, None, Files]:
    """Find the files of a folder by the stems of their names; yields what is wrong."""
    files: Files = {}
    for path in visible_entries(require_folder(place, f"the folder of {what}s")):
        stem = normalize("NFC", path.stem)
        if path.is_dir():
            yield Problem(relative_name(path, folder), f"a folder, a {what} was expected")
        elif stem in files:
            first = relative_name(files[stem], folder)
            yield Problem(relative_name(path, folder), f"named like {first}")
        else:
            files[stem] = path
    return files
