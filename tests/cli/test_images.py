"""Finding and reading the images of a command line."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest

from kdtasks.cli.images import find_images, read_fitted, read_whole
from kdtasks.core.errors import DatasetError
from kdtasks.edge.decoder import Decoder


def fitting(shape: tuple[int, ...]) -> Any:
    """A model that takes images of one shape."""
    height, width, channels = shape
    options: Any = {"image_size": (height, width), "channels": channels}
    return SimpleNamespace(
        segments=SimpleNamespace(input_shape=shape),
        per_pixel=False,
        decoder=Decoder,
        decode=lambda file, max_pixels=10**6: Decoder(max_pixels).read(file, **options),
    )


def read_pixels(path: Path) -> np.ndarray:
    return read_whole(path, fitting((4, 4, 3)))


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images in two folders, and files that are none."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name in ("b.png", "a.JPG", "inner/c.npy", "notes.txt", ".hidden/d.png"):
        (folder / name).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    return folder


def test_files_folders_and_patterns(photos: Path):
    assert list(find_images(["photos"])) == [
        ("photos/a.JPG", None),
        ("photos/b.png", None),
        ("photos/inner/c.npy", None),
    ]
    assert list(find_images(["photos/notes.txt"])) == [("photos/notes.txt", None)]
    assert list(find_images(["photos/*.*g"])) == [("photos/b.png", None)]
    assert list(find_images([f"{photos}/**/*.npy"])) == [(str(photos / "inner/c.npy"), None)]


def test_what_people_take_for_images_is_never_dropped(photos: Path):
    for name in ("phone.HEIC", "camera.nef", "drawing.psd"):
        (photos / name).write_bytes(b"")
    names = [Path(name).name for name, _ in find_images(["photos"])]
    assert names == ["a.JPG", "b.png", "camera.nef", "drawing.psd", "c.npy", "phone.HEIC"]
    with pytest.raises(DatasetError, match=r"camera's raw file; export it as JPEG"):
        read_fitted(photos / "camera.nef", fitting((4, 4, 3)))


def test_what_is_not_there_is_named(photos: Path):
    assert list(find_images(["gone.png", "empty", "*.tif", "photos/b.png"])) == [
        ("gone.png", "not found"),
        ("empty", "no image is in this folder"),
        ("*.tif", "no file matches"),
        ("photos/b.png", None),
    ]


def test_a_name_with_brackets_is_a_file_first(photos: Path):
    (photos / "x [1].png").write_bytes(b"")
    assert list(find_images(["photos/x [1].png"])) == [("photos/x [1].png", None)]


@pytest.mark.parametrize("shape", [(6, 4, 3), (6, 4, 1), (9, 12, 3)])
def test_images_are_read_as_prepare_reads_them(tmp_path: Path, shape: tuple[int, ...]):
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(path)
    height, width, channels = shape
    expected = Decoder().read(path, image_size=(height, width), channels=channels)
    np.save(tmp_path / "array.npy", pixels)
    for file in (path, tmp_path / "array.npy"):
        found = read_fitted(file, fitting(shape))
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        assert found.size == (9, 12)
        np.testing.assert_array_equal(read_pixels(file), pixels)


def test_grey_arrays_need_no_channel_axis(tmp_path: Path):
    path = tmp_path / "grey.npy"
    np.save(path, np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert read_pixels(path)[..., 0].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.png",
            b"%PDF-1.7 and more",
            "^not readable as an image: it begins with b'%PDF-1.7 and'; give one of JPEG, PNG",
        ),
        ("a.jpg", b"", "^not readable as an image: it is empty; give one of JPEG"),
        ("a.txt", b"words", "^not an image: it begins with b'words'; give one of JPEG"),
        ("a.npy", b"no array", "not readable as an array"),
        (
            "a.npy",
            np.zeros((2, 2), np.float32),
            r"holds float32 \[2, 2\], uint8 \[height, width, 1",
        ),
        ("a.npy", np.zeros((2, 2, 2), np.uint8), r"holds uint8 \[2, 2, 2\]"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, content, message: str):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(DatasetError, match=message):
        read_fitted(path, fitting((4, 4, 3)))


def test_without_pillow_arrays_of_the_right_size_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 1), np.uint8))
    (tmp_path / "a.png").write_bytes(b"")
    for module in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert read_fitted(tmp_path / "a.npy", fitting((2, 3, 1))).pixels.shape == (2, 3, 1)
    needed = r"need Pillow: pip install pillow, or give \.npy files of uint8 \[4, 4, 1\]"
    for name in ("a.npy", "a.png"):
        with pytest.raises(DatasetError, match=needed):
            read_fitted(tmp_path / name, fitting((4, 4, 1)))
