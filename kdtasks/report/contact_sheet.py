"""The contact sheet: training images beside augmented views of them, before anyone trains."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from kdtasks.core.files import atomic_file
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.augmentations.mixing import TwoLabels
from kdtasks.learn.training.views import AugmentationParams, draw_view
from kdtasks.report.examples import UNLABELLED, legend, overlaid, palette_of

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGES, VIEWS = 8, 5

# Images that views are drawn of, in equal steps through the split: with whom some are mixed.
_POOL = 64

# In pixels: the longest side of an image, what is free around it, a line of text.
_SIDE, _FREE, _LINE = 112, 8, 17

# Letters that fit below an image.
_LETTERS = 17

_WHITE, _BLACK, _GREY = (255, 255, 255), (20, 20, 20), (110, 110, 110)


def write_contact_sheet(
    path: Path,
    dataset: PreparedDataset,
    augmentation: AugmentationParams,
    *,
    is_varied: bool,
    mask_values: Mapping[str, Any],
) -> None:
    """Draw some training images, each beside views of it, with the names of their classes.

    The views are drawn as those of the training are, but of fewer images, so they are others.
    Masks lie over their images as outlines and a tint.

    Args:
        path: of the PNG.
        is_varied: whether a training sees any view but the images as they are.
        mask_values: class name to what stands for it in masks, a number or `#rrggbb`.
    """
    total = dataset.counts["train"].total
    pool = np.unique(np.linspace(0, total - 1, _POOL).astype(int))
    images, labels = dataset.images("train")[pool], dataset.labels("train")[pool]
    views = [
        draw_view(images, labels, view=view, augmentation=augmentation)
        for view in range(1 + VIEWS * is_varied)
    ]
    names, colours = dataset.class_names, {}
    if labels.ndim > 1:
        colours = legend(names, mask_values)
        palette = palette_of(list(colours.values()))
        views = [(overlaid(*view, palette), view[1]) for view in views]
        if dataset.ignore_label is not None:
            colours["unlabelled"] = f"#{bytes(UNLABELLED).hex()}"
    chosen = ", ".join(transform.name for transform in augmentation.transforms)
    title = f"{dataset.name}, training split: {chosen if is_varied else 'not augmented'}"
    headings = ["image", *(f"view {view}" for view in range(1, len(views)))]
    rows = _spread(labels)
    cells = [[view[0][row] for view in views] for row in rows]
    captions = [[_caption(view[1][row], names) for view in views] for row in rows]
    with atomic_file(path) as partial:
        draw_sheet(cells, captions, title, headings, colours).save(
            partial, format="PNG", optimize=True
        )


def _spread(labels: np.ndarray) -> list[int]:
    """Choose rows in equal steps; of classified images from as many classes as there are."""
    if labels.ndim > 1:
        return [int(row) for row in np.unique(np.linspace(0, len(labels) - 1, IMAGES).astype(int))]
    seen: dict[int, int] = {}
    turns = []
    for row, label in enumerate(labels.tolist()):
        seen[label] = seen.get(label, 0) + 1
        turns.append((seen[label], label, row))
    return [row for _, _, row in sorted(turns)[:IMAGES]]


def _caption(label: np.ndarray, names: Sequence[str]) -> str:
    """Name the class, or both of them with their fractions; nothing for masks."""
    if label.ndim:
        return ""
    if label.dtype != TwoLabels:
        return _name("", label, names)
    if label["fraction"] == 1.0:
        return _name("", label["label"], names)
    shares = (label["label"], label["fraction"]), (label["partner"], 1.0 - label["fraction"])
    return "\n".join(_name(f"{part:.0%} ", class_index, names) for class_index, part in shares)


def _name(before: str, label: Any, names: Sequence[str]) -> str:
    text = before + (names[label] if label >= 0 else "no label")
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"


def draw_sheet(
    cells: Sequence[Sequence[np.ndarray]],
    captions: Sequence[Sequence[str]],
    title: str,
    headings: Sequence[str],
    colours: Mapping[str, str],
) -> "Image":
    """Put rows of images of one size on a page, below a title, above names and their colours.

    Args:
        cells: uint8 [height, width, 1 or 3], by row and column.
        captions: what stands below each.
        headings: what stands above the columns.
    """
    import PIL.Image  # heavy, and only needed here
    import PIL.ImageDraw
    import PIL.ImageFont

    images = [[_enlarged(pixels) for pixels in row] for row in cells]
    width, height = images[0][0].size
    lines = max(len(text.splitlines()) for row in captions for text in row)
    across = max(width, _SIDE) + _FREE
    down = height + lines * _LINE + _FREE
    wide = max(across * len(images[0]), 5 * across) + _FREE
    heading = wrap(title, wide // 7)
    top = _FREE + len(heading) * _LINE + _LINE + _FREE
    below = _LINE * len(colours)
    page = PIL.Image.new("RGB", (wide, top + down * len(images) + below + _FREE), _WHITE)
    pen, font = PIL.ImageDraw.Draw(page), PIL.ImageFont.load_default(13)
    pen.multiline_text((_FREE, _FREE), "\n".join(heading), _BLACK, font)
    for column, row_of_texts in enumerate(zip(*captions, strict=True)):
        left = _FREE + column * across
        pen.text((left, top - _LINE - 2), headings[column], _GREY, font)
        for row, text in enumerate(row_of_texts):
            upper = top + row * down
            page.paste(images[row][column], (left, upper))
            pen.multiline_text((left, upper + height + 1), text, _BLACK, font, spacing=1)
    for line, (name, colour) in enumerate(colours.items()):
        upper = top + down * len(images) + line * _LINE
        pen.rectangle((_FREE, upper + 2, _FREE + 12, upper + 14), colour)
        pen.text((_FREE + 20, upper), name, _BLACK, font)
    return page


def _enlarged(pixels: np.ndarray) -> "Image":
    """Bring uint8 [height, width, 1 or 3] to about `_SIDE`; small images by whole pixels."""
    import PIL.Image

    image = PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    factor = _SIDE / max(image.size)
    if factor >= 2:
        factor = int(factor)
    size = (round(image.width * factor) or 1, round(image.height * factor) or 1)
    method = PIL.Image.Resampling.NEAREST if factor >= 2 else PIL.Image.Resampling.LANCZOS
    return image.resize(size, method)
