"""The cache of decoded images: what is kept, what is not believed, and how much of it there is."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.data.decoded_images import DecodedImages, key_of
from kdtasks.edge.decoder import DecodedImage

KEYS = [key_of(bytes([number])) for number in range(8)]


def image(seed: int, side: int = 8, channels: int = 3) -> DecodedImage:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, channels), np.uint8)
    return DecodedImage(pixels, (3000, 4000), animated=bool(seed % 2))


def same(one: DecodedImage | None, other: DecodedImage) -> bool:
    return (
        one is not None
        and np.array_equal(one.pixels, other.pixels)
        and one.pixels.shape == other.pixels.shape
        and one[1:] == other[1:]
    )


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("channels", [1, 3])
def test_what_was_put_is_there_for_the_next_process(tmp_path: Path, channels: int) -> None:
    cache = DecodedImages(tmp_path / "new")
    assert cache.get(KEYS[0]) is None
    cache.put(KEYS[0], image(0, channels=channels))
    cache.put(KEYS[1], image(1, channels=channels))
    again = DecodedImages(tmp_path / "new")
    assert same(again.get(KEYS[0]), image(0, channels=channels))
    assert same(again.get(KEYS[1]), image(1, channels=channels))


@given(st.data())
def test_a_flipped_or_missing_byte_anywhere_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache = DecodedImages(folder)
    cache.put(KEYS[0], image(0))
    (file,) = files(folder)
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    file.write_bytes(content)
    assert cache.get(KEYS[0]) is None
    cache.put(KEYS[0], image(0))
    assert same(cache.get(KEYS[0]), image(0))


def test_an_entry_under_another_name_is_not_believed(tmp_path: Path) -> None:
    cache = DecodedImages(tmp_path)
    cache.put(KEYS[0], image(0))
    (file,) = files(tmp_path)
    other = tmp_path / KEYS[1][:2] / KEYS[1][2:]
    other.parent.mkdir(exist_ok=True)
    file.rename(other)
    assert cache.get(KEYS[1]) is None


def test_keys_differ_by_content_and_by_every_setting() -> None:
    keys = [
        key_of(b"one", ".jpg", 3),
        key_of(b"two", ".jpg", 3),
        key_of(b"one", ".nef", 3),
        key_of(b"one", ".jpg", 1),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == key_of(b"one", ".jpg", 3)


def test_what_was_used_longest_ago_goes_first_and_the_bound_holds(tmp_path: Path) -> None:
    size = len(image(0).pixels.tobytes()) + 37  # a digest of 16 bytes, and 21 of numbers
    cache = DecodedImages(tmp_path, max_bytes=4 * size)
    for number in range(6):
        cache.put(KEYS[number], image(number))
    held = files(tmp_path)
    assert [path.stat().st_size for path in held] == [size] * 4  # the last two had no room
    for age, number in enumerate((2, 0, 3, 1)):
        path = tmp_path / KEYS[number][:2] / KEYS[number][2:]
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    cache.get(KEYS[1])  # which is what counts as use
    again = DecodedImages(tmp_path, max_bytes=4 * size)  # half is left for what is new
    kept = [number for number in range(4) if again.get(KEYS[number])]
    assert kept == [1, 2]
    again.put(KEYS[4], image(4))
    again.put(KEYS[5], image(5))
    again.put(KEYS[6], image(6))
    assert sum(path.stat().st_size for path in files(tmp_path)) == 4 * size


def test_what_a_killed_writer_left_is_no_entry_and_goes(tmp_path: Path) -> None:
    cache = DecodedImages(tmp_path)
    cache.put(KEYS[0], image(0))
    (file,) = files(tmp_path)
    left = file.with_name(f".{file.name}.0123456789abcdef.partial")
    left.write_bytes(file.read_bytes()[:100])
    os.utime(left, (1, 1))
    again = DecodedImages(tmp_path, max_bytes=2 * file.stat().st_size)
    assert files(tmp_path) == [file]
    assert same(again.get(KEYS[0]), image(0))


def test_several_writers_of_one_entry_leave_one_whole_entry(tmp_path: Path) -> None:
    def write() -> None:
        cache = DecodedImages(tmp_path)
        for _ in range(20):
            cache.put(KEYS[0], image(0, side=64))
            assert same(cache.get(KEYS[0]), image(0, side=64))

    failed: list[object] = []
    hook, threading.excepthook = threading.excepthook, failed.append
    try:
        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = hook
    assert not failed
    assert len(files(tmp_path)) == 1


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = DecodedImages(tmp_path / "file")
    cache.put(KEYS[0], image(0))
    assert cache.get(KEYS[0]) is None
