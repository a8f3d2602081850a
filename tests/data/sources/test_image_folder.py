import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import load_dataset
from kdtasks.data.settings import DataParams
from kdtasks.edge.decoder import Decoder


@pytest.fixture
def params(image_folder: Path, data_params: Callable[..., DataParams]) -> Callable[..., DataParams]:
    def build(**keys: Any) -> DataParams:
        fields = {"path": str(image_folder), "image_size": [8, 8]} | keys
        return data_params("image_folder", **fields)

    return build


def test_folders_are_classes_in_order_of_their_names(
    image_folder: Path, params: Callable[..., DataParams], noise: Callable[..., np.ndarray]
) -> None:
    (image_folder / ".DS_Store").write_bytes(b"x")
    (image_folder / "cats" / "Thumbs.db").write_bytes(b"x")
    dataset = load_dataset(params())
    assert dataset.class_names == ("cats", "dogs")
    assert dataset.labels.tolist() == [0] * 6 + [1] * 6
    assert dataset.origins[7] == "dogs/1.png"
    assert np.array_equal(dataset.images[7], noise(11))
    assert dataset.problems == ()


def test_size_and_channels_apply(params: Callable[..., DataParams]) -> None:
    dataset = load_dataset(params(image_size=[4, 6], channels=1))
    assert dataset.images.shape == (12, 4, 6, 1)


def test_max_images_is_stratified_and_decodes_no_more(
    image_folder: Path, params: Callable[..., DataParams], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Path] = []
    read = Decoder.read

    def read_and_note(decoder: Decoder, path: Path, **keys: Any) -> Any:
        decoded.append(path)
        return read(decoder, path, **keys)

    monkeypatch.setattr(Decoder, "read", read_and_note)
    dataset = load_dataset(params(max_images=10))
    assert np.bincount(dataset.labels).tolist() == [5, 5]
    assert len(decoded) == 10
    assert dataset.notes[-1] == "10 of 12 images are taken (data.max_images)"


def spoil(root: Path) -> None:
    """Make one of every problem an image folder can have."""
    (root / "dogs" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (root / "dogs" / "note.txt").write_text("hello")
    (root / "birds").mkdir()
    (root / "LICENSE").write_text("free")
    shutil.copy(root / "cats" / "1.png", root / "dogs" / "copy.png")


EXPECTED = {
    "LICENSE": "beside the class folders",
    "birds": "an empty class folder",
    "cats/1.png": "the same image as dogs/copy.png, which is of another class",
    "dogs/0.png": "not readable as an image",
    "dogs/copy.png": "the same image as cats/1.png, which is of another class",
    "dogs/note.txt": "not an image",
}


def test_all_problems_are_in_one_error(
    image_folder: Path, params: Callable[..., DataParams]
) -> None:
    spoil(image_folder)
    with pytest.raises(DatasetError, match=r"has 6 problems; fix them, or set data\.") as info:
        load_dataset(params())
    lines = str(info.value).splitlines()[1:]
    assert [line.strip().split(": ")[0] for line in lines] == sorted(EXPECTED)
    for line, path in zip(lines, sorted(EXPECTED), strict=True):
        assert EXPECTED[path] in line


def test_problems_are_left_out_and_recorded(
    image_folder: Path, params: Callable[..., DataParams]
) -> None:
    spoil(image_folder)
    dataset = load_dataset(params(on_bad="skip"))
    assert dataset.class_names == ("cats", "dogs")
    assert np.bincount(dataset.labels).tolist() == [5, 5]
    assert [problem.path for problem in dataset.problems] == sorted(EXPECTED)
    (found,) = dataset.duplicates
    assert found.images == ("cats/1.png", "dogs/copy.png")
    assert found.labels == ("cats", "dogs")
    assert found.contradicts


def test_a_contradiction_is_found_in_pixels_not_bytes(
    image_folder: Path, params: Callable[..., DataParams], noise: Callable[..., np.ndarray]
) -> None:
    Image.fromarray(noise(1)).save(image_folder / "dogs" / "again.bmp")
    with pytest.raises(DatasetError, match=r"dogs/again\.bmp: the same image as cats/1\.png"):
        load_dataset(params())


def test_a_duplicate_within_a_class_is_only_reported(
    image_folder: Path, params: Callable[..., DataParams]
) -> None:
    (image_folder / "cats" / "link.png").symlink_to(image_folder / "cats" / "1.png")
    dataset = load_dataset(params())
    (found,) = dataset.duplicates
    assert found.images == ("cats/1.png", "cats/link.png")
    assert not found.contradicts
    assert dataset.groups is not None
    assert dataset.groups[1] == dataset.groups[6]


def test_the_list_of_problems_is_cut_at_twenty(
    image_folder: Path, params: Callable[..., DataParams]
) -> None:
    for number in range(23):
        (image_folder / "cats" / f"{number:02}.jpg").write_bytes(b"broken")
    with pytest.raises(DatasetError, match="has 23 problems") as info:
        load_dataset(params())
    lines = str(info.value).splitlines()
    assert len(lines) == 22
    assert lines[-1].strip() == "and 3 more"


def test_a_class_whose_images_are_all_bad_is_left_out(
    image_folder: Path, params: Callable[..., DataParams], noise: Callable[..., np.ndarray]
) -> None:
    (image_folder / "aardvarks").mkdir()
    (image_folder / "aardvarks" / "0.png").write_bytes(b"broken")
    dataset = load_dataset(params(on_bad="skip"))
    assert dataset.class_names == ("cats", "dogs")
    assert dataset.labels.tolist() == [0] * 6 + [1] * 6
    assert [item.path for item in dataset.problems] == ["aardvarks/0.png", "class aardvarks"]


@pytest.mark.parametrize("on_bad", ["fail", "skip"])
def test_fewer_than_two_classes_are_refused(
    image_folder: Path, params: Callable[..., DataParams], on_bad: str
) -> None:
    shutil.rmtree(image_folder / "dogs")
    with pytest.raises(DatasetError, match=r"holds 1 usable class \(cats\), at least two"):
        load_dataset(params(on_bad=on_bad))


def test_nothing_usable_is_refused_even_with_skip(
    image_folder: Path, params: Callable[..., DataParams]
) -> None:
    for path in image_folder.rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(DatasetError, match="holds no usable class, with 14 problems excluded"):
        load_dataset(params(on_bad="skip"))
    with pytest.raises(DatasetError, match="classes left: 0, at least two are needed"):
        load_dataset(params())


def test_a_missing_folder_is_told(tmp_path: Path, params: Callable[..., DataParams]) -> None:
    with pytest.raises(DatasetError, match="gone not found, the folder that holds one folder"):
        load_dataset(params(path=str(tmp_path / "gone")))
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="file is a file"):
        load_dataset(params(path=str(tmp_path / "file")))


def test_a_name_that_is_no_utf8_is_spelled_out(
    image_folder: Path, params: Callable[..., DataParams], noise: Callable[..., np.ndarray]
) -> None:
    import os

    pixels = Image.fromarray(noise(99))
    try:
        with open(os.fsencode(image_folder / "cats") + b"/\xff.png", "wb") as file:
            pixels.save(file, "PNG")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    dataset = load_dataset(params())
    assert "cats/\\udcff.png" in dataset.origins
