"""Splits that images come in: how people name them, and which one the missing ones come out of."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from kdtasks.core.errors import DatasetError
from kdtasks.core.text import and_list
from kdtasks.data.folders import composed
from kdtasks.data.prepared import SPLITS

Divided = Annotated[
    Literal["train", "validation"],
    Field(
        description="the given split that those which are not given, such as `calibration`, are "
        "taken out of"
    ),
]

_WORDS = {
    "train": "train training trn trainval learn",
    "validation": "validation validate valid val dev development eval evaluation",
    "calibration": "calibration calib cal",
    "test": "test testing tst holdout",
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words.split()}
_ENDINGS = re.compile(r"[\s_-]*(set|data|split|images)$")


def split_named(text: str) -> str | None:
    """Give the split that a folder's name or a cell stands for, such as `Valid` or `test_set`."""
    word = composed(text).strip().casefold()
    return _SPLIT_OF.get(word) or _SPLIT_OF.get(_ENDINGS.sub("", word))


def divide(given: Sequence[str | None], divided: Divided) -> tuple[list[str | None], str]:
    """Keep the splits that images were given, but for the one that the missing ones come out of.

    Args:
        given: the split of each image; those of None join the divided one.
        divided: which one that is, if it is among them; else it is `train`.

    Returns:
        the split of each image, None for those of the divided one, and a sentence; as they are,
        and "", where no image was given one.

    Raises:
        DatasetError: there is nothing that could be divided.
    """
    present = set(given) - {None}
    if not present:
        return list(given), ""
    missing = [split for split in SPLITS if split not in present]
    if not missing and None not in given:
        return list(given), "all four splits are kept as given"
    whole = divided if divided in present else "train"
    kept = [split for split in SPLITS if split in present and split != whole]
    if whole not in present and None not in given:
        raise DatasetError(
            f"there are images of {and_list(kept)}, but none to train on; add some of train"
        )
    sentence = f"{and_list(kept)} kept as given" if kept else "nothing is kept as given"
    if dealt := [split for split in missing if split != whole]:
        sentence += f"; {and_list(dealt)} taken out of {whole}"
    return [None if split == whole else split for split in given], sentence


def splits_of_folders(names: Sequence[Path]) -> tuple[Sequence[str | None], str]:
    """Tell splits by the outermost folders of images, where all are named so and `train` is one.

    Returns: as of `divide`, what is missing taken out of `train`.
    """
    splits = [split_named(name.parts[0]) if len(name.parts) > 1 else None for name in names]
    if None in splits or "train" not in splits:
        return [None] * len(names), ""
    return divide(splits, "train")
