"""Find the mask of every image by their names."""

import re
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.core.text import quantity
from kdtasks.data.folders import (
    composed,
    files_below,
    inner_folders,
    relative_name,
    require_folder,
)
from kdtasks.data.given_splits import split_named

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

    Folders may lie in folders, those of masks as those of images, and `masks` in `images`. Names
    are compared without their endings, in the composed form of Unicode (NFC), and without what all
    images' names end in, such as `_leftImg8bit`, where nothing else pairs them.

    Args:
        folder: `data.path`, which names are told below.
        images, masks: folders; one folder may hold both.
        suffix: what follows an image's name in its mask's; masks called otherwise are passed over.
            None finds one that all masks have.

    Raises:
        DatasetError: a folder is missing, or no image has a mask.
    """
    of_images = yield from _by_stem(folder, images, "image", masks)
    together = images.resolve() == masks.resolve()
    of_masks = of_images if together else (yield from _by_stem(folder, masks, "mask"))
    found = _found_suffix(of_images, of_masks, together) if suffix is None else suffix
    if together:
        of_masks = {
            stem: path
            for stem, path in of_images.items()
            if found and stem.endswith(found) and stem.removesuffix(found) in of_images
        }
        of_images = {stem: path for stem, path in of_images.items() if stem not in of_masks}
    elif suffix:
        of_masks = {
            stem: path
            for stem, path in of_masks.items()
            if stem in of_images or stem.endswith(suffix)
        }
    named: Files = {}
    for stem, path in of_masks.items():
        name = stem if stem in of_images else stem.removesuffix(found)
        if name in named:
            yield Problem(
                relative_name(path, folder), f"named like {relative_name(named[name], folder)}"
            )
        else:
            named[name] = path
    if of_images and not of_images.keys() & named.keys():
        shortened = (
            {stem.removesuffix(ending): path for stem, path in of_images.items()}
            for ending in _common_endings(list(of_images))
        )
        of_images = max((of_images, *shortened), key=lambda names: len(names.keys() & named.keys()))
    if of_images and not of_images.keys() & named.keys():
        raise _without_masks(folder, of_images, of_masks, masks)
    for stem in sorted(of_images.keys() | named.keys()):
        if stem not in named:
            yield Problem(relative_name(of_images[stem], folder), "an image without a mask")
        elif stem not in of_images:
            yield Problem(relative_name(named[stem], folder), "a mask without an image")
        else:
            yield Pair(of_images[stem], named[stem])


def pair_folders(folder: Path, images: str, masks: str) -> Iterator[Path | Problem]:
    """List the folders that hold these two: `folder`, or those of splits, such as `train`, in it.

    Args:
        images, masks: names of folders.
    """
    entries = inner_folders(folder)
    having = [path for path in entries if (path / images).is_dir()]
    is_outermost = any((folder / name).exists() for name in (images, masks))
    if is_outermost or not having or not all(split_named(path.name) for path in having):
        yield folder
        return
    for path in entries:
        if path in having and (path / masks).is_dir():
            yield path
        else:
            problem = f"{images} and {masks} are not both in it; data.unlabelled takes photos alone"
            yield Problem(relative_name(path, folder), problem)


def propose_suffix(images: Path, masks: Path) -> str | None:
    """Find what follows images' names in their masks', where images have masks of several kinds.

    Images' names count without what all end in, as of Cityscapes: of `a_leftImg8bit.png` the mask
    is `a_gtFine_labelIds.png`, and `a_gtFine_color.png` is another. None where there is one kind.
    """
    if images.resolve() == masks.resolve():
        return None
    files = _files_outside(images, masks), files_below(masks)
    stems, drawn = ([composed(path.stem) for path in each] for each in files)
    for ending in ("", *reversed(_common_endings(stems))):
        names = {stem.removesuffix(ending) for stem in stems}
        kinds = Counter(
            stem[cut:]
            for stem in drawn
            for cut in [max((n for n in range(len(stem)) if stem[:n] in names), default=0)]
            if cut
        )
        likely = [kind for kind, count in kinds.items() if 2 * count >= len(names)]
        if len(likely) > 1:
            return min(likely, key=lambda kind: (not _MASK_WORDS.search(kind), kind))
    return None


def suffix_sentence(pairs: Sequence[Pair]) -> Sequence[str]:
    """Say how the names of masks differ from those of their images, where they do."""
    changes = Counter[tuple[str, str]]()
    for pair in pairs:
        image, mask = (composed(path.stem) for path in pair)
        shared = len(_common_start([image, mask]))
        changes[image[shared:], mask[shared:]] += 1
    changes.pop(("", ""), None)
    return [
        f"masks are called as their images and {mask!r}{f' in place of {image!r}' if image else ''}"
        f": {quantity(count, 'mask')} (data.source.mask_suffix sets another)"
        for (image, mask), count in changes.most_common()
    ]


def _found_suffix(images: Mapping[str, Path], masks: Mapping[str, Path], together: bool) -> str:
    """Find what follows the most images' names in their masks'; "" where none is needed."""
    if together:
        endings = {stem: _MASK_WORDS.search(stem) for stem in masks}
        suffixes = [
            end[0] for stem, end in endings.items() if end and stem.removesuffix(end[0]) in images
        ]
    elif images.keys() & masks.keys():
        return ""
    else:
        suffixes = [
            stem[cut:]
            for stem in masks
            for cut in [max((n for n in range(len(stem)) if stem[:n] in images), default=0)]
            if cut
        ]
    often = Counter(suffixes)
    return min(often, key=lambda each: (-often[each], each), default="")


def _common_endings(stems: Sequence[str]) -> Sequence[str]:
    """Give what all names end in, from each separator on; none for a single name."""
    shared = _common_start([stem[::-1] for stem in stems])[::-1] if len(stems) > 1 else ""
    return [shared[match.start() :] for match in re.finditer(r"[ _.-]", shared)]


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)  # in alphabetical order nothing between differs earlier
    letters = zip(first, last, strict=False)
    return first[: sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], letters))]


def _without_masks(folder: Path, images: Files, masks: Files, where: Path) -> DatasetError:
    first = next(iter(sorted(images)))
    shown = ", ".join(path.name for _, path in sorted(masks.items())[:3])
    there = f"holds {shown}{' …' if len(masks) > 3 else ''}" if masks else "has no mask"
    name = "" if where == folder else f" {relative_name(where, folder)}/"
    return DatasetError(
        f"none of the {quantity(len(images), 'image')} has a mask: "
        f"{relative_name(images[first], folder)} needs {first}.png or {first}_mask.png in"
        f"{name or ' the same folder'}, which {there}; rename the masks, set "
        "data.source.mask_suffix to what follows an image's name in its mask's, or give the folder "
        "of the masks (`--masks`, data.source.masks)"
    )


def _files_outside(images: Path, masks: Path) -> Iterator[Path]:
    """List the files below `images`, without those of a folder of masks in it."""
    drawn = [
        images / inner.relative_to(outer)
        for outer, inner in ((images, masks), (images.resolve(), masks.resolve()))
        if outer in inner.parents
    ]
    return (path for path in files_below(images) if not any(map(path.is_relative_to, drawn)))


def _by_stem(
    folder: Path, place: Path, what: str, masks: Path | None = None
) -> Generator[Problem, None, Files]:
    """Find files by their names below `place`, without their endings; yields what is wrong."""
    files: Files = {}
    require_folder(place, f"the folder of {what}s")
    for path in _files_outside(place, masks or place):
        stem = composed((path.relative_to(place).parent / path.stem).as_posix())
        if stem in files:
            first = relative_name(files[stem], folder)
            yield Problem(relative_name(path, folder), f"named like {first}")
        else:
            files[stem] = path
    return files
