"""Bytes that were once an image, cut and flipped: an image or one sentence, and nothing else."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kdtasks.edge.decoder import Decoder, ImageError, quiet_decoding
from tests.tools.deep_images import deep_png, deep_tiff
from tests.tools.photos import photos

_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_MOST_PIXELS = 1_000_000


def _files() -> dict[str, bytes]:
    photo, found = Image.fromarray(photos(1)[0]), {}
    for kind in _FORMATS:
        file = io.BytesIO()
        photo.save(file, kind)
        found[kind] = file.getvalue()
    deep = np.random.default_rng(0).integers(0, 65536, (12, 9, 3), np.uint16)
    zipped = deep_tiff(deep, deflate=True)
    return found | {"deep PNG": deep_png(deep), "deep TIFF": deep_tiff(deep), "zipped": zipped}


FILES = _files()
PLACES = st.floats(0, 1, exclude_max=True)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(sorted(FILES)),
    left=st.one_of(st.just(1.0), PLACES),
    flips=st.lists(st.tuples(PLACES, st.integers(0, 255)), max_size=8),
)
def test_damage_is_told_in_one_sentence(
    kind: str, left: float, flips: list[tuple[float, int]]
) -> None:
    content = bytearray(FILES[kind])
    for place, value in flips:
        content[int(place**3 * len(content))] = value  # more of them near the beginning
    decoder = Decoder(_MOST_PIXELS, (0, 4095))
    cut, told, found = bytes(content[: int(left * len(content))]), "", None
    with quiet_decoding():
        try:
            found = decoder.read(cut, image_size=(8, 8))
        except ImageError as error:
            told = str(error)
    if found is None:
        assert 0 < len(told) < 300
        assert "\n" not in told
    else:
        assert found.pixels.shape == (8, 8, 3)
        assert found.size[0] * found.size[1] <= _MOST_PIXELS


@pytest.mark.parametrize("kind", sorted(FILES))
def test_whole_files_are_read(kind: str) -> None:
    found = Decoder(_MOST_PIXELS, (0, 65535)).read(FILES[kind], image_size=(8, 8))
    assert found.pixels.std() > 5
