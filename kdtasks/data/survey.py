"""What the headers of a dataset's images say before any is decoded for good."""

import posixpath
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import DatasetError
from kdtasks.core.text import quantity
from kdtasks.core.threads import in_order
from kdtasks.data.sources import Item
from kdtasks.data.spool import SpooledObjects
from kdtasks.edge.decoder import Decoder, Header
from kdtasks.edge.depth import fitting_range


class Survey(NamedTuple):
    """What `survey_depth` found: how to read the images, and sentences that say it.

    `headers` are by name, of the files that have one.
    """

    decoder: Decoder
    notes: tuple[str, ...]
    headers: Sequence[tuple[str, Header]]


def survey_depth(items: Sequence[Item], decoder: Decoder) -> Survey:
    """Find the range of values of images with 16 bits a channel, and files of several frames.

    Where `decoder` has a range it stays. Else images with 16 bits are decoded once more, for the
    largest value of all; images that cannot be read are passed over, reading will name them.
    """
    files = deep = highest = animated = 0
    example = ""  # of several frames
    headers = SpooledObjects[tuple[str, Header]]()

    def look(named: tuple[str, Path]) -> tuple[str, Header | None, int]:
        name, path = named
        try:
            header = decoder.header(path)
            searched = header.deep and decoder.deep_range is None
            return name, header, decoder.highest_value(path) if searched else 0
        except DatasetError:
            return name, None, 0

    paths = ((item.name, item.image) for item in items if isinstance(item.image, Path))
    for name, header, most in in_order(look, paths):
        files += 1
        if header is None:
            continue
        headers.append((name, header))
        highest = max(highest, most)
        example = example or posixpath.basename(name) * header.animated
        animated += header.animated
        deep += header.deep
    notes = []
    if animated:
        notes.append(
            f"several frames in {quantity(animated, 'file')}, such as {example}: the first one is "
            "taken"
        )
    if deep:
        ends = decoder.deep_range or fitting_range(highest)
        how = "as data.range says" if decoder.deep_range else f"the largest value is {highest:,}"
        rest = files - deep
        others = f"; the other {rest} as they are" if rest else ""
        notes.append(
            f"16 bits a channel in {quantity(deep, 'image')}: {ends[0]} becomes 0 and "
            f"{ends[1]} becomes 255 ({how}; data.range sets others){others}"
        )
        decoder = replace(decoder, deep_range=ends)
    return Survey(decoder, tuple(notes), headers)
