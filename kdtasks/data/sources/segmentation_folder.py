"""Images and masks paired by their names, cut into patches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.core.settings import Count
from kdtasks.core.text import quantity
from kdtasks.data.folders import composed, relative_name, require_folder
from kdtasks.data.full_value import find_full_value
from kdtasks.data.given_splits import splits_of_folders
from kdtasks.data.mask_orientation import Drawn, drawn_on, find_mask_orientation
from kdtasks.data.masks import IGNORE_LABEL, Palette, read_mask, read_palette
from kdtasks.data.pairs import Pair, find_pairs, pair_folders, suffix_sentence
from kdtasks.data.patches import named_patches
from kdtasks.data.raw_dataset import UnusableFileError
from kdtasks.data.sources import Example, Item, Size, Source, sources
from kdtasks.edge.decoder import Decoder
from kdtasks.edge.images import resize_mask
from kdtasks.edge.orientation import turned


@sources.register
class SegmentationFolder(Source):
    """Images and masks, paired by their names and cut into square patches.

    `data.max_images` counts whole images, and `data.image_size` resizes them before they are cut.
    A pixel that several patches show has a label in one of them.
    """

    task: ClassVar = "segmentation"
    is_folder: ClassVar = True

    name: Literal["segmentation_folder"] = "segmentation_folder"
    images: str = Field(
        default="images",
        description="folder of images below `data.path`, or in each of its folders of splits; "
        "where there is neither this nor `masks`, both lie in `data.path` itself",
    )
    masks: str = Field(default="masks", description="folder of masks below `data.path`")
    mask_suffix: str | None = Field(
        default=None,
        description="what follows an image's name in its mask's, such as `_mask` in "
        "`photo_mask.png`; other masks are passed over. null finds it",
    )
    mask_orientation: Literal["auto", "upright", "stored"] = Field(
        default="auto",
        description="whether masks of photos that EXIF turns were drawn on the upright photo or "
        "on its stored pixels; `auto` goes by the sizes of this mask, then of the others, else "
        "`upright`",
    )
    classes: dict[str, str | Annotated[int, Field(ge=0, le=255)]] = Field(
        description="class name to its mask colour (`'#3C1098'`) or to its index in an index mask"
    )
    ignore: Annotated[
        tuple[str | Annotated[int, Field(ge=0, le=255)], ...], Field(strict=False)
    ] = Field(
        default=(),
        description="colours or indices that are unlabelled and never counted. An index of 255 in "
        "neither list is the second of two classes if masks hold 0 and 255 alone, else unlabelled",
    )
    tolerance: Annotated[int, Field(ge=0, le=127)] = Field(
        default=32,
        description="how far, of 255 in each channel, a mask's colour may be from its class's "
        "(JPEG, smooth resizing); beyond, a pixel is unlabelled. 0: exact colours alone",
    )
    given_splits: bool = Field(
        default=True,
        description="whether outermost folders named `train`, `val` and `test` are the splits; "
        "missing ones, such as calibration, are taken out of `train`. Not for photos without "
        "masks",
    )
    patch_size: Count = Field(default=128, description="side of the square patches, in pixels")
    overlap: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0, description="fraction of a patch's side that its neighbour repeats, as context"
    )
    _ambiguous: Drawn = PrivateAttr(default="upright")
    # near, far and all pixels of each mask that had unknown values
    _off: dict[Path, tuple[int, int, int]] = PrivateAttr(default_factory=dict)

    @property
    def palette(self) -> Palette:
        """What the values in the masks stand for."""
        return read_palette(self.classes, self.ignore, self.tolerance)

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

    def for_folder(self) -> "SegmentationFolder":
        fields = self.model_dump(include=set(SegmentationFolder.model_fields) - {"name"})
        return SegmentationFolder.model_validate(fields | {"given_splits": False})

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return tuple(self.classes)

    def items(self, folder: Path) -> Iterator[Item | Problem]:
        """List the pairs.

        Raises:
            DatasetError: a folder is missing, or no image has a mask.
        """
        entries = self._all_paired(require_folder(folder, "the folder of images and masks"))
        items = [entry for entry in entries if isinstance(entry, Item)]
        splits, _ = self._given(folder, items)
        yield from (entry for entry in entries if isinstance(entry, Problem))
        yield from (replace(item, split=split) for item, split in zip(items, splits, strict=True))

    def layout_found(self, folder: Path) -> Sequence[str]:
        entries = self._all_paired(folder)
        _, said = self._given(folder, [entry for entry in entries if isinstance(entry, Item)])
        return [f"folders of splits: {said}"] if said else []

    def _given(self, folder: Path, items: Sequence[Item]) -> tuple[Sequence[str | None], str]:
        """Give the splits that folders of images tell, and say it."""
        if not self.given_splits:
            return [None] * len(items), ""
        root = composed(self.images) if (folder / self.images).exists() else "."
        return splits_of_folders([Path(item.name).relative_to(root) for item in items])

    def _all_paired(self, folder: Path) -> Sequence[Item | Problem]:
        entries: list[Item | Problem] = []
        for inner in pair_folders(folder, self.images, self.masks):
            entries += [inner] if isinstance(inner, Problem) else self.paired(folder, inner)
        return entries

    def paired(
        self, folder: Path, inner: Path, split: str | None = None
    ) -> Iterator[Item | Problem]:
        """List the pairs in a folder below `data.path`, of a given split.

        Raises:
            DatasetError: as of `items`.
        """
        images, masks = inner / self.images, inner / self.masks
        defaults = {type(self).model_fields[name].default for name in ("images", "masks")}
        if {self.images, self.masks} == defaults and not images.exists() and not masks.exists():
            images = masks = inner
        for pair in find_pairs(folder, images, masks, self.mask_suffix):
            if isinstance(pair, Problem):
                yield pair
            else:
                yield Item(relative_name(pair.image, folder), *pair, split=split)

    def resolved(
        self, folder: Path, items: Sequence[Item], decoder: Decoder
    ) -> tuple[Source, Sequence[str]]:
        """Find out how masks are called and turned, and what 255 stands for in them."""
        pairs = [_pair_of(item) for item in items]
        auto = self.mask_orientation == "auto"
        known = find_mask_orientation(pairs, decoder) if auto else None
        full = find_full_value(self.classes, self.ignore, [pair.mask for pair in pairs], decoder)
        source = self.model_copy(update={"classes": full.classes, "ignore": full.ignore})
        source._ambiguous = known.ambiguous if known else "upright"
        source._off = {}
        return source, (*suffix_sentence(pairs), *(known.notes if known else ()), *full.notes)

    def remarks(self) -> Sequence[str]:
        if not self._off:
            return ()
        near, far, size = map(sum, zip(*self._off.values(), strict=True))
        many, first = quantity(len(self._off), "mask"), min(path.name for path in self._off)
        return [
            f"once a JPEG or resized smoothly: {many}, such as {first}; "
            f"{near / size:.1%} of their pixels took the nearest class, {far / size:.1%} differ "
            f"from all by more than {self.tolerance} and are unlabelled "
            "(data.source.tolerance)"
        ]

    def label_of(self, folder: Path, item: Item, decoder: Decoder) -> np.ndarray:
        return self._labels(folder, item, decoder)[0]

    def _labels(
        self, folder: Path, item: Item, decoder: Decoder
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """Read a mask upright; with it how many pixels had near and far values, see `Mask`."""
        pair = _pair_of(item)
        try:
            mask = read_mask(pair.mask, self.palette, decoder)
        except DatasetError as error:
            raise UnusableFileError(relative_name(pair.mask, folder), str(error)) from None
        orientation, by_size = drawn_on(pair, decoder)
        auto = self.mask_orientation == "auto"
        drawn = by_size or self._ambiguous if auto else self.mask_orientation
        is_turned = orientation != 1 and drawn == "stored"
        labels = turned(mask.labels, orientation) if is_turned else mask.labels
        return labels, (mask.near, mask.far)

    def examples(
        self,
        folder: Path,
        item: Item,
        decoder: Decoder,
        image_size: Size | None,
        channels: int | None,
    ) -> Sequence[Example]:
        """Read and cut the whole image and its mask.

        Raises:
            DatasetError: in a few words, the image cannot be used, does not fit its mask or is
                smaller than a patch.
            UnusableFileError: the mask cannot be used.
        """
        mask, unknown = self._labels(folder, item, decoder)
        image = decoder.read(item.image, image_size=image_size, channels=channels)
        size = image.size
        if mask.shape != size:
            raise DatasetError(
                f"{size[0]}×{size[1]} pixels, its mask "
                f"{relative_name(_pair_of(item).mask, folder)} has "
                f"{mask.shape[0]}×{mask.shape[1]}; make the mask anew in the image's size"
            )
        examples = self.cut(item.name, image.pixels, resize_mask(mask, image_size))
        if any(unknown):
            self._off[_pair_of(item).mask] = *unknown, mask.size
        return examples

    def cut(self, name: str, image: np.ndarray, mask: np.ndarray) -> Sequence[Example]:
        """Cut an image and a mask of its size; each pixel is labelled in one patch.

        Raises:
            DatasetError: in a few words, it is smaller than a patch.
        """
        examples = []
        for piece, area, own in named_patches(name, mask.shape, self.patch_size, self.overlap):
            labels = np.full((self.patch_size, self.patch_size), IGNORE_LABEL, np.uint8)
            labels[own] = mask[area][own]
            examples.append(Example(piece, image[area], labels))
        return examples

    def pieces(
        self,
        name: str,
        image: Path | np.ndarray,
        decoder: Decoder,
        image_size: Size | None,
        channels: int,
        piece_size: Size | None = None,
    ) -> Sequence[tuple[str, np.ndarray]]:
        """Read and cut an image without a mask.

        In another `piece_size` the whole image is resized as much as a patch, and cut at the same
        places, but for half a pixel.

        Raises:
            DatasetError: in a few words, it cannot be used or is smaller than a patch.
        """
        assert isinstance(image, Path)
        size = image_size or decoder.header(image).upright_size
        own = piece_size or (self.patch_size, self.patch_size)
        sides = tuple(
            max(piece, round(side * piece / self.patch_size))
            for side, piece in zip(size, own, strict=True)
        )
        patches = list(named_patches(name, size, self.patch_size, self.overlap))
        resized = (sides[0], sides[1]) if piece_size else image_size
        whole = decoder.read(image, image_size=resized, channels=channels).pixels

        def at(axis: int, area: slice) -> slice:
            start = round(area.start * own[axis] / self.patch_size)
            start = min(start, sides[axis] - own[axis])
            return slice(start, start + own[axis])

        return [(piece, whole[at(0, area[0]), at(1, area[1])]) for piece, area, _ in patches]


def _pair_of(item: Item) -> Pair:
    assert isinstance(item.image, Path)
    assert isinstance(item.label, Path)
    return Pair(item.image, item.label)
