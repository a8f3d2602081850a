"""Images and masks paired by the stem of their names, cut into patches."""

import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.core.settings import Count
from kdtasks.data.folders import relative_name, require_folder, visible_entries
from kdtasks.data.masks import IGNORE_LABEL, Palette, patch_spans, read_mask, read_palette
from kdtasks.data.raw_dataset import UnusableFileError
from kdtasks.data.sources import Example, Item, Size, Source, sources
from kdtasks.edge.images import fit_image, read_image, resize_mask

Place = tuple[slice, slice]


@sources.register
class SegmentationFolder(Source):
    """Images and masks, paired by the stem of their names and cut into square patches.

    `data.max_images` counts whole images, and `data.image_size` resizes them before they are cut.
    A pixel that several patches show has a label in one of them.
    """

    task: ClassVar = "segmentation"
    is_folder: ClassVar = True

    name: Literal["segmentation_folder"] = "segmentation_folder"
    images: str = Field(default="images", description="folder of images below `data.path`")
    masks: str = Field(default="masks", description="folder of masks below `data.path`")
    classes: dict[str, str | Annotated[int, Field(ge=0, le=254)]] = Field(
        description="class name to its mask colour (`'#3C1098'`) or to its index in an index mask"
    )
    ignore: Annotated[
        tuple[str | Annotated[int, Field(ge=0, le=255)], ...], Field(strict=False)
    ] = Field(default=(), description="colours or indices that are unlabelled: never counted")
    patch_size: Count = Field(default=128, description="side of the square patches, in pixels")
    overlap: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0, description="fraction of a patch's side that its neighbour repeats, as context"
    )

    @property
    def palette(self) -> Palette:
        """What the values in the masks stand for."""
        return read_palette(self.classes, self.ignore)

    @property
    def ignore_label(self) -> int:
        return IGNORE_LABEL

    @property
    def mask_values(self) -> Mapping[str, str | int]:
        return self.classes

    def check(self, image_size: Size | None) -> None:
        if image_size is not None and min(image_size) < self.patch_size:
            raise ValueError(
                f"image_size {list(image_size)} is smaller than a patch of {self.patch_size}; "
                "lower source.patch_size"
            )

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return tuple(self.classes)

    def items(self, folder: Path) -> Iterator[Item | Problem]:
        """List the pairs.

        Raises:
            DatasetError: a folder is missing.
        """
        require_folder(folder, "the folder of images and masks")
        images = yield from _by_stem(folder, self.images, "image")
        masks = yield from _by_stem(folder, self.masks, "mask")
        for stem in sorted(images.keys() | masks.keys()):
            if stem not in masks:
                yield Problem(relative_name(images[stem], folder), "an image without a mask")
            elif stem not in images:
                yield Problem(relative_name(masks[stem], folder), "a mask without an image")
            else:
                yield Item(relative_name(images[stem], folder), images[stem], masks[stem])

    def label_of(self, folder: Path, item: Item) -> np.ndarray:
        path = _mask_of(item)
        try:
            return read_mask(path, self.palette)
        except DatasetError as error:
            raise UnusableFileError(relative_name(path, folder), str(error)) from None

    def examples(
        self, folder: Path, item: Item, image_size: Size | None, channels: int | None
    ) -> Sequence[Example]:
        """Read and cut the whole image and its mask; each pixel is labelled in one patch.

        Raises:
            DatasetError: in a few words, the image cannot be used, does not fit its mask or is
                smaller than a patch.
            UnusableFileError: the mask cannot be used.
        """
        mask = self.label_of(folder, item)
        image = read_image(item.image, image_size=None, channels=channels)
        height, width = image.shape[:2]
        if mask.shape != (height, width):
            raise DatasetError(
                f"{height}×{width} pixels, its mask {relative_name(_mask_of(item), folder)} has "
                f"{mask.shape[0]}×{mask.shape[1]}; resize one to the other"
            )
        if image_size is not None:
            image = fit_image(image, image_size=image_size, channels=image.shape[2])
            mask = resize_mask(mask, image_size)
        examples = []
        for name, place, own in self._patches(item.name, mask.shape):
            labels = np.full((self.patch_size, self.patch_size), IGNORE_LABEL, np.uint8)
            labels[own] = mask[place][own]
            examples.append(Example(name, image[place], labels))
        return examples

    def pieces(
        self, name: str, image: Path, image_size: Size | None, channels: int
    ) -> Sequence[tuple[str, np.ndarray]]:
        """Read and cut an image without a mask.

        Raises:
            DatasetError: in a few words, it cannot be used or is smaller than a patch.
        """
        whole = read_image(image, image_size=image_size, channels=channels)
        return [(piece, whole[place]) for piece, place, _ in self._patches(name, whole.shape[:2])]

    def _patches(self, name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, Place, Place]]:
        """Name the patches of an image of this height and width.

        Yields:
            a patch's name, its place in the image, and the part of it that no other patch counts.
        """
        size = self.patch_size
        if min(shape) < size:
            raise DatasetError(f"{shape[0]}×{shape[1]} pixels, smaller than a patch of {size}")
        spans = (patch_spans(side, size, self.overlap) for side in shape)
        for (top, rows), (left, columns) in itertools.product(*spans):
            place = slice(top, top + size), slice(left, left + size)
            yield f"{name}[{top}:{top + size}, {left}:{left + size}]", place, (rows, columns)


def _mask_of(item: Item) -> Path:
    assert isinstance(item.label, Path)
    return item.label


def _by_stem(folder: Path, name: str, what: str) -> Generator[Problem, None, dict[str, Path]]:
    """Find the files of a folder by the stems of their names; yields what is wrong."""
    files: dict[str, Path] = {}
    for path in visible_entries(require_folder(folder / name, f"the folder of {what}s")):
        if path.is_dir():
            yield Problem(relative_name(path, folder), f"a folder, a {what} was expected")
        elif path.stem in files:
            first = relative_name(files[path.stem], folder)
            yield Problem(relative_name(path, folder), f"named like {first}")
        else:
            files[path.stem] = path
    return files
