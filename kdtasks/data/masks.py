"""Read a mask file as labels, and lay patches over it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.edge.images import SIXTEEN_BIT_MODES, open_image

INDEX_MODES = frozenset(["1", "L", "P", "I"]) | SIXTEEN_BIT_MODES
IGNORE_LABEL = 255
SHOWN = 5


@dataclass(frozen=True)
class Palette:
    """Mask values (index, or colour as 0xRRGGBB) and the label of each."""

    kind: Literal["colour", "index"]
    class_names: tuple[str, ...]
    label_of: dict[int, int]

    def labels(self, values: np.ndarray) -> np.ndarray:
        """Turn mask values [height, width] into labels, uint8 [height, width].

        Raises:
            DatasetError: with a few words only: values that stand for no class, and how often.
        """
        labels = np.empty(values.shape, np.uint8)
        for value, label in self.label_of.items():
            labels[values == value] = label
        unknown = Counter(values[~np.isin(values, list(self.label_of))].tolist())
        if unknown:
            what = "colours outside the palette" if self.kind == "colour" else "indices of no class"
            often = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
            spelling = "#{:06X} ({} pixels)" if self.kind == "colour" else "{} ({} pixels)"
            listed = ", ".join(spelling.format(*item) for item in often[:SHOWN])
            more = f" and {len(often) - SHOWN} more" if len(often) > SHOWN else ""
            raise DatasetError(f"{what}: {listed}{more}")
        return labels


def read_mask(path: Path, palette: Palette) -> np.ndarray:
    """Read a mask as labels, uint8 [height, width]; transparency is not looked at.

    Call it within `strict_decoding()`.

    Raises:
        DatasetError: with a few words only, for a list of problems.
    """
    image = open_image(path)
    if palette.kind == "index":
        if image.mode not in INDEX_MODES:
            raise DatasetError(f"a mask of mode {image.mode}, indices need one channel")
        return palette.labels(np.asarray(image).astype(np.int64))
    if image.mode in SIXTEEN_BIT_MODES or image.mode in ("I", "F"):
        raise DatasetError(f"a mask of mode {image.mode}, colours need 8 bits a channel")
    try:
        red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(np.int32), -1, 0)
    except ValueError:
        raise DatasetError(f"colour mode {image.mode}; convert it to RGB") from None
    return palette.labels(red << 16 | green << 8 | blue)


def read_palette(classes: Mapping[str, str | int], ignore: Sequence[str | int] = ()) -> Palette:
    """Read what mask values stand for: all of them colours, or all indices.

    Args:
        classes: class name to its colour, `'#RRGGBB'`, or its index.
        ignore: values of unlabelled pixels.

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
    return Palette("index" if is_index == {True} else "colour", tuple(classes), label_of)


def _colour(name: str, text: str) -> int:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise DatasetError(
            f"data.source: the colour of {name} is {text!r}, '#RRGGBB' was expected, such "
            "as '#3C1098', in quotes"
        )
    return int(text[1:], 16)


class PatchSpan(NamedTuple):
    """Where a patch lies along one side of an image.

    Attributes:
        start: its first pixel, counted in the image.
        own: its pixels that count in this patch and in no other, counted in the patch.
    """

    start: int
    own: slice


def patch_spans(length: int, patch_size: int, overlap: float) -> list[PatchSpan]:
    """Lay patches along one side, in pixels; the last one ends at the border.

    What two patches share counts in the one whose middle is nearer, which sees more around it.

    Args:
        length: the image's side, at least `patch_size`.
        patch_size: side of a patch.
        overlap: fraction of a patch, 0 up to but not 1, that the next one repeats; the last may
            repeat more.
    """
    step = max(1, round(patch_size * (1 - overlap)))
    starts = list(range(0, length - patch_size + 1, step))
    if starts[-1] + patch_size < length:
        starts.append(length - patch_size)
    middles = [(first + second + patch_size) // 2 for first, second in pairwise(starts)]
    return [
        PatchSpan(start, slice(first - start, end - start))
        for start, first, end in zip(starts, [0, *middles], [*middles, length], strict=True)
    ]
