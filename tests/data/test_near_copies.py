"""Near copies among photos and digits; images that only look alike are none."""

from pathlib import Path

import numpy as np
import pytest

from kdtasks.data import near_copies as module
from kdtasks.data.groups import join_pairs
from kdtasks.data.near_copies import near_copies
from kdtasks.data.sources.mnist_5k import Mnist5k
from tests.tools.photos import photos, retaken


@pytest.mark.parametrize("size", [(40, 48), (150, 224)])
def test_bursts_are_found_and_nothing_else(size: tuple[int, int]) -> None:
    generator, scenes = np.random.default_rng(1), photos(20, size)
    shots = [retaken(scene, generator) for scene in scenes for _ in range(3)]
    pairs = near_copies(np.array(shots))
    assert pairs.dtype == np.int64
    together = pairs // 3
    assert (together[:, 0] == together[:, 1]).all()
    assert len(pairs) >= 0.9 * 20 * 3
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert pairs.tolist() == sorted(pairs.tolist())


def test_a_film_of_one_scene_is_one_group_though_not_all_pairs_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_CANDIDATES", 24)  # as are 100 of 250
    generator, (scene, other) = np.random.default_rng(4), photos(2, (32, 32))
    frames = np.array([retaken(scene, generator, reach=1) for _ in range(60)] + [other])
    pairs = near_copies(frames)
    assert len(pairs) <= 60 * 24 < 60 * 59 / 2
    sizes = np.bincount(join_pairs(np.arange(61), pairs))
    assert sizes.max() >= 0.99 * 60
    assert sizes[-1] == 1


def test_pairs_across_two_sets_are_rows_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, scenes = np.random.default_rng(2), photos(12)
    others = np.array([retaken(scene, generator) for scene in scenes[[5, 3]]])
    assert near_copies(scenes, others).tolist() == [[3, 1], [5, 0]]
    assert near_copies(others, scenes).tolist() == [[0, 5], [1, 3]]
    assert near_copies(scenes[:0], others).shape == (0, 2)
    monkeypatch.setattr(module, "_LIKENESSES", 24)  # two images at a time, against twelve
    assert near_copies(scenes, scenes[[5, 3]]).tolist() == [[3, 1], [5, 0]]
    assert near_copies(others, scenes).tolist() == [[0, 5], [1, 3]]


def test_the_same_shape_in_another_colour_is_no_copy() -> None:
    grey = photos(2)[:, :, :, :1]
    red, green = (np.repeat(grey, 3, axis=3) // 3 for _ in range(2))
    red[..., 0], green[..., 1] = 255 - grey[..., 0], 255 - grey[..., 0]
    assert near_copies(np.concatenate([red, green])).tolist() == []
    assert near_copies(red, red).tolist() == [[0, 0], [1, 1]]


def test_plain_images_and_very_small_ones_have_no_copies() -> None:
    generator = np.random.default_rng(3)
    plain = 120 + generator.integers(0, 4, (30, 32, 32, 3), np.uint8)
    assert near_copies(plain).tolist() == []
    assert near_copies(photos(1)[:, :15, :15].repeat(2, axis=0)).tolist() == []


def test_other_people_s_digits_are_no_copies() -> None:
    images = np.array([item.image for item in Mnist5k().items(Path())])[::4]
    assert near_copies(images).tolist() == []  # as of all 5,000
    moved = np.roll(images[:200], (1, -1), axis=(1, 2))
    found = near_copies(images[:200], moved)
    assert np.count_nonzero(found[:, 0] == found[:, 1]) >= 0.95 * 200
