"""Whether masks of photos that EXIF turns were drawn on them upright, or on the stored pixels."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from kdtasks.core.errors import DatasetError
from kdtasks.core.text import quantity
from kdtasks.data.pairs import Pair
from kdtasks.edge.decoder import Decoder

Drawn = Literal["upright", "stored"]


class MaskOrientation(NamedTuple):
    """How masks that fit either way are read, and what is said of all that are turned."""

    ambiguous: Drawn
    notes: tuple[str, ...]


def drawn_on(pair: Pair, decoder: Decoder) -> tuple[int, Drawn | None]:
    """Tell by the headers which way round a mask was drawn.

    Returns:
        the orientation of the photo, 1 if it needs no turning; and what its mask's size says, None
        where it says nothing. A mask with an EXIF orientation of its own is turned by that alone.
    """
    photo = decoder.header(pair.image)
    if photo.orientation == 1:
        return 1, None
    mask = decoder.header(pair.mask)
    if mask.orientation != 1:
        return 1, None
    fits = {"upright": mask.size == photo.upright_size, "stored": mask.size == photo.size}
    if fits["upright"] == fits["stored"]:
        return photo.orientation, None
    return photo.orientation, "upright" if fits["upright"] else "stored"


def find_mask_orientation(pairs: Sequence[Pair], decoder: Decoder) -> MaskOrientation:
    """Decide how masks are read whose sizes fit both ways: as those that fit one way were drawn."""
    orientations: list[Drawn | None] = []
    for pair in pairs:
        try:
            orientation, drawn = drawn_on(pair, decoder)
        except DatasetError:
            continue  # reading will name it
        if orientation != 1:
            orientations.append(drawn)
    stored, upright, open_ = (orientations.count(each) for each in ("stored", "upright", None))
    ambiguous: Drawn = "stored" if stored and not upright else "upright"
    how = "data.source.mask_orientation sets it"
    notes = []
    if stored:
        notes.append(
            f"turned with their photos: {quantity(stored, 'mask')} of the size of stored pixels "
            f"({how})"
        )
    if open_:
        words = {"stored": "on stored pixels, as others were", "upright": "on the upright photo"}
        notes.append(
            f"fitting either way: {quantity(open_, 'mask')} of rotated photos, taken as drawn "
            f"{words[ambiguous]} ({how})"
        )
    return MaskOrientation(ambiguous, tuple(notes))
