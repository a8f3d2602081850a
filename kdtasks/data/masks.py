"""Read a mask file as labels."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import DatasetError
from kdtasks.edge.decoder import Decoder
from kdtasks.edge.depth import GREY_MODES

if TYPE_CHECKING:
    from PIL.Image import Image

INDEX_MODES = frozenset(["1", "L", "P", "I"]) | GREY_MODES
IGNORE_LABEL = 255
SHOWN = 5
# Formats that change values a little; of another format so many unknown values mean the same, that
# a mask was resized smoothly, or was once a JPEG.
LOSSY = frozenset(["AVIF", "HEIF", "JPEG", "JPEG2000", "MPO", "WEBP"])
MOST_FLAT = 16
# Fraction of a mask whose values may be too far from every class's; they count as unlabelled.
MOST_FAR = 0.2
# What the channels of a grey image may differ by once a JPEG has held it as colours.
_GREY = 8


class Mask(NamedTuple):
    """A mask and what was off in it.

    Attributes:
        labels: uint8 [height, width].
        near: pixels that took the nearest class, since no class has just their value.
        far: pixels too far from every class, which are unlabelled.
    """

    labels: npt.NDArray[np.uint8]
    near: int = 0
    far: int = 0


@dataclass(frozen=True)
class Palette:
    """Mask values (index, or colour as 0xRRGGBB) and the label of each.

    `tolerance` is by how much, in each channel, a blurred mask's value may differ from a class's.
    """

    kind: Literal["colour", "index"]
    class_names: tuple[str, ...]
    label_of: dict[int, int]
    tolerance: int = 0

    def labels(self, values: np.ndarray, *, lossy: bool = False) -> Mask:
        """Turn mask values [height, width] into labels.

        Args:
            lossy: whether the file's format changes values. Then, or where a mask has more than 16
                unknown values, these take the nearest class's label.

        Raises:
            DatasetError: with a few words only: values that stand for no class, and how often.
        """
        labels = np.empty(values.shape, np.uint8)
        for value, label in self.label_of.items():
            labels[values == value] = label
        where = ~np.isin(values, list(self.label_of))
        if not where.any():
            return Mask(labels)
        unknown, place = np.unique(values[where], return_inverse=True)
        counts = np.bincount(place)
        if not self.tolerance or not (lossy or len(unknown) > MOST_FLAT):
            raise DatasetError(self._refusal(unknown, counts))
        if self.kind == "index" and self._gap <= 2 * self.tolerance:
            why = "a format that changes values cannot hold indices; save masks as PNG"
            raise DatasetError(why if lossy else self._refusal(unknown, counts))
        codes = np.array(list(self.label_of))
        split = _channels if self.kind == "colour" else np.atleast_2d
        distances = np.abs(split(unknown)[..., None] - split(codes)[:, None]).max(axis=0)
        is_far = distances.min(axis=1) > self.tolerance
        nearest = np.array(list(self.label_of.values()), np.uint8)[distances.argmin(axis=1)]
        labels[where] = np.where(is_far, IGNORE_LABEL, nearest)[place]
        far = int(counts[is_far].sum())
        if far > MOST_FAR * values.size:
            raise DatasetError(
                f"{far / values.size:.0%} of its pixels differ by more than {self.tolerance} from "
                f"every class, most often {self._listed(unknown[is_far], counts[is_far], 1)}: a "
                "mask that was a JPEG or was resized smoothly; save it as PNG, resize it by the "
                "nearest pixel, or raise data.source.tolerance"
            )
        return Mask(labels, int(counts.sum()) - far, far)

    @property
    def _gap(self) -> int:
        codes = np.sort(list(self.label_of))
        return int(np.diff(codes).min(initial=255))

    def _refusal(self, unknown: np.ndarray, counts: np.ndarray) -> str:
        what = "colours outside the palette" if self.kind == "colour" else "indices of no class"
        listed = self._listed(unknown, counts, SHOWN)
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        return (
            f"{what}: {listed}{more}; add them to data.source.classes, or to data.source.ignore if "
            "they are unlabelled"
        )

    def _listed(self, values: np.ndarray, counts: np.ndarray, most: int) -> str:
        often = sorted(zip(values.tolist(), counts.tolist(), strict=True), key=lambda v: -v[1])
        spelling = "#{:06X} ({} pixels)" if self.kind == "colour" else "{} ({} pixels)"
        return ", ".join(spelling.format(*item) for item in often[:most])


def read_mask(path: Path, palette: Palette, decoder: Decoder) -> Mask:
    """Read a mask, turned by its own EXIF orientation; transparency is not looked at.

    Raises:
        DatasetError: with a few words only, for a list of problems.
    """
    image = decoder.open_upright(path)
    lossy = image.format in LOSSY
    if palette.kind == "index":
        return palette.labels(_indices(image), lossy=lossy)
    if image.mode in GREY_MODES or image.mode in ("I", "F"):
        raise DatasetError(f"a mask of mode {image.mode}, colours need 8 bits a channel")
    try:
        red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(np.int32), -1, 0)
    except ValueError:
        raise DatasetError(f"colour mode {image.mode}; convert it to RGB") from None
    return palette.labels(red << 16 | green << 8 | blue, lossy=lossy)


def index_values(path: Path, decoder: Decoder) -> set[int]:
    """Give the values that a mask of indices has; what a lossy format made of 0 and 255 is these.

    Raises:
        DatasetError: it cannot be read, or is coloured.
    """
    image = decoder.open_upright(path)
    values = np.unique(_indices(image))
    if image.format in LOSSY:
        values = np.where(values < 128, 0, 255)
    return set(values.tolist())


def _indices(image: "Image") -> np.ndarray:
    """Give the values of a mask of one channel, or of three that are alike: int64 [height, width].

    Raises:
        DatasetError: it is coloured.
    """
    if image.mode in INDEX_MODES:
        return np.asarray(image).astype(np.int64)
    if image.mode in ("LA", "RGB", "RGBA"):
        red, *others = np.moveaxis(np.asarray(image).astype(np.int64), -1, 0)[:3]
        if image.mode == "LA":
            return red
        most = _GREY if image.format in LOSSY else 0
        if all((abs(other - red) <= most).all() for other in others):
            return red
    raise DatasetError(
        f"a mask of mode {image.mode} in colours, indices need one channel; give colours, such as "
        "'#FF0000', in data.source.classes"
    )


def _channels(values: np.ndarray) -> np.ndarray:
    """Split 0xRRGGBB into its channels, int64 [3, N]."""
    return values.astype(np.int64) >> np.array([[16], [8], [0]]) & 255


def read_palette(
    classes: Mapping[str, str | int], ignore: Sequence[str | int] = (), tolerance: int = 0
) -> Palette:
    """Read what mask values stand for: all of them colours, or all indices.

    Args:
        classes: class name to its colour, `'#RRGGBB'`, or its index.
        ignore: values of unlabelled pixels.
        tolerance: as of `Palette`.

    Raises:
        DatasetError: no `'#RRGGBB'`, colours and indices mixed, or one of them given twice.
    """
    named = [*classes.items(), *(("ignore", value) for value in ignore)]
    is_index = {isinstance(value, int) for _, value in named}
    if len(is_index) > 1:
        raise DatasetError(
            "data.source mixes colours and indices in classes and ignore; masks are read by "
            "one or the other"
        )
    label_of: dict[int, int] = {}
    owner: dict[int, str] = {}
    for place, (name, value) in enumerate(named):
        code = value if isinstance(value, int) else _colour(name, value)
        if code in owner:
            raise DatasetError(
                f"data.source gives {value} to {owner[code]} and to {name}; every class "
                "needs its own"
            )
        owner[code] = name
        label_of[code] = place if place < len(classes) else IGNORE_LABEL
    kind: Literal["colour", "index"] = "index" if is_index == {True} else "colour"
    return Palette(kind, tuple(classes), label_of, tolerance)


def _colour(name: str, text: str) -> int:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise DatasetError(
            f"data.source: the colour of {name} is {text!r}, '#RRGGBB' was expected, such "
            "as '#3C1098', in quotes"
        )
    return int(text[1:], 16)
