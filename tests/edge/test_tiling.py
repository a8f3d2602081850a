import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.edge.segmenter import Tiling

LENGTHS = st.integers(1, 60)
TILES = st.integers(1, 24)
OVERLAPS = st.floats(0, 0.5)


@given(LENGTHS, TILES, OVERLAPS)
def test_every_pixel_is_answered_once_and_weights_add_up_to_one(length, tile, overlap):
    tiling = Tiling(length, tile, overlap)
    answered, total = np.zeros(length, int), np.zeros(length)
    for index, start in enumerate(tiling.starts):
        first, end = tiling.inside(index)
        total[first:end] += tiling.window(index)[first - start : end - start]
        first, end = tiling.finished(index)
        assert start <= first <= end <= start + tile
        answered[first:end] += 1
        np.testing.assert_allclose(total[first:end], 1, atol=1e-6)
    assert (answered == 1).all()


@given(LENGTHS, TILES, OVERLAPS)
def test_tiles_show_the_image_and_mirror_it_beyond_its_border(length, tile, overlap):
    tiling = Tiling(length, tile, overlap)
    for index, start in enumerate(tiling.starts):
        pixels = tiling.pixels(index)
        assert pixels.shape == (tile,)
        first, end = tiling.inside(index)
        assert pixels[first - start : end - start].tolist() == list(range(first, end))
        if length > 1:
            assert (np.abs(np.diff(pixels)) == 1).all()


def test_places_worked_by_hand():
    # A quarter of 16 is 4 pixels: margins of 2, a step of 12.
    tiling = Tiling(30, 16, 0.25)
    assert tiling.starts == [-2, 10, 22]
    assert tiling.pixels(0)[:4].tolist() == [2, 1, 0, 1]
    assert tiling.pixels(2).tolist() == [*range(22, 30), *range(28, 20, -1)]
    assert [tiling.finished(index) for index in range(3)] == [(0, 10), (10, 22), (22, 30)]
    rising = np.sin(np.pi * np.array([1, 3, 5, 7]) / 16) ** 2
    np.testing.assert_allclose(tiling.window(1)[:4], rising, rtol=1e-6)
    np.testing.assert_allclose(tiling.window(1)[-4:], rising[::-1], rtol=1e-6)
    assert tiling.window(0)[:12].tolist() == [1.0] * 12


def test_a_side_no_longer_than_a_tile_has_one():
    assert Tiling(16, 16, 0.25).starts == [0]
    tiling = Tiling(3, 8, 0.25)
    assert tiling.starts == [-2]
    assert tiling.pixels(0).tolist() == [2, 1, 0, 1, 2, 1, 0, 1]
    assert tiling.window(0).tolist() == [1.0] * 8
    assert Tiling(1, 4, 0.25).pixels(0).tolist() == [0, 0, 0, 0]
