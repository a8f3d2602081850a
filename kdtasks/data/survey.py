"""What the headers of a dataset's images say before any is decoded for good."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.text import quantity
from kdtasks.core.threads import in_order
from kdtasks.edge.decoder import Decoder, Header
from kdtasks.edge.depth import fitting_range


class Survey(NamedTuple):
    """What `survey_depth` found: how to read the images, and sentences that say it.

    `headers` are those of the files that have one.
    """

    decoder: Decoder
    notes: tuple[str, ...]
    headers: dict[Path, Header]


def survey_depth(images: Sequence[Path | np.ndarray], decoder: Decoder) -> Survey:
    """Find the range of values of images with 16 bits a channel, and files of several frames.

    Where `decoder` has a range it stays. Else images with 16 bits are decoded once more, for the
    largest value of all; images that cannot be read are passed over, reading will name them.
    """
    files = [image for image in images if isinstance(image, Path)]
    deep: list[Path] = []
    animated: list[Path] = []
    headers: dict[Path, Header] = {}
    highest = 0

    def look(path: Path) -> tuple[Header, int] | None:
        try:
            header = decoder.header(path)
            searched = header.deep and decoder.deep_range is None
            return header, decoder.highest_value(path) if searched else 0
        except DatasetError:
            return None

    for path, found in zip(files, in_order(look, files), strict=True):
        if found is None:
            continue
        header, most = found
        headers[path] = header
        highest = max(highest, most)
        animated += [path] * header.animated
        deep += [path] * header.deep
    notes = []
    if animated:
        notes.append(
            f"several frames in {quantity(len(animated), 'file')}, such as {animated[0].name}: the "
            "first one is taken"
        )
    if deep:
        ends = decoder.deep_range or fitting_range(highest)
        how = "as data.range says" if decoder.deep_range else f"the largest value is {highest:,}"
        rest = len(files) - len(deep)
        others = f"; the other {rest} as they are" if rest else ""
        notes.append(
            f"16 bits a channel in {quantity(len(deep), 'image')}: {ends[0]} becomes 0 and "
            f"{ends[1]} becomes 255 ({how}; data.range sets others){others}"
        )
        decoder = replace(decoder, deep_range=ends)
    return Survey(decoder, tuple(notes), headers)
