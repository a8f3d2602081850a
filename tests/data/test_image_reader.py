"""`prepare` with a cache and threads: the same bytes, nothing decoded twice, files read once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from kdtasks.data.decoded_images import DecodedImages
from kdtasks.data.image_reader import ImageReader
from kdtasks.data.prepare import load_dataset, write_prepared
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset
from kdtasks.data.teacher_images import TeacherImageFormat, write_teacher_images
from kdtasks.data.unlabelled import read_unlabelled, write_unlabelled
from kdtasks.edge.decoder import ImageError

KINDS: dict[str, dict[str, Any]] = {"jpg": {"quality": 90}, "png": {}, "webp": {"quality": 80}}


def photo(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 80, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **KINDS[path.suffix[1:]])


@pytest.fixture
def params(tmp_path: Path, data_params: Callable[..., DataParams]) -> Callable[..., DataParams]:
    """Two classes of 24 photos in three formats, a damaged one, and three without a label."""
    for number in range(48):
        ending = list(KINDS)[number % 3]
        photo(tmp_path / "photos" / "ab"[number % 2] / f"{number}.{ending}", number)
    whole = (tmp_path / "photos/a/0.jpg").read_bytes()
    (tmp_path / "photos/a/cut.jpg").write_bytes(whole[: len(whole) // 2])
    for number in range(3):
        photo(tmp_path / f"drawer/{number}.jpg", 100 + number)

    def build(**keys: Any) -> DataParams:
        given = {"path": str(tmp_path / "photos"), "unlabelled": str(tmp_path / "drawer")}
        return data_params("image_folder", **given, image_size=[8, 10], on_bad="skip", **keys)

    return build


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what Pillow decodes."""
    counts: Counter[str] = Counter()
    load = ImageFile.ImageFile.load

    def counted(image: ImageFile.ImageFile) -> Any:
        counts["decoded"] += bool(image.tile)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counted)
    return counts


def prepare(
    folder: Path,
    params: DataParams,
    decoded: DecodedImages | None,
    own: TeacherImageFormat = TeacherImageFormat((16, 20), 1),  # noqa: B008 – a constant
) -> dict[str, bytes]:
    """All that `prepare` writes, by file name."""
    dataset = load_dataset(params, decoded)
    split = split_dataset(dataset, params.split, seed=0)
    unlabelled = read_unlabelled(params, dataset, split, decoded)
    write_unlabelled(folder / "unlabelled", unlabelled)
    write_teacher_images(folder / "own", params, dataset, split, unlabelled.names, own, decoded)
    write_prepared(folder / "prepared", dataset, split, params)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("keys", [{}, {"stable_split": True, "channels": 1}, {"max_images": 10}])
def test_neither_threads_nor_a_cache_change_a_byte(
    params: Callable[..., DataParams],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: dict[str, Any],
) -> None:
    expected = prepare(tmp_path / "one thread", params(**keys), None)
    monkeypatch.setenv("KDTASKS_THREADS", "3")
    cache = DecodedImages(tmp_path / "cache")
    for name in ("empty cache", "full cache"):
        assert prepare(tmp_path / name, params(**keys), cache) == expected
    for file in (tmp_path / "cache").glob("*/*"):
        file.write_bytes(file.read_bytes()[:-1] + b"\0")
    assert prepare(tmp_path / "damaged cache", params(**keys), cache) == expected


def test_a_second_prepare_decodes_what_is_new(
    params: Callable[..., DataParams], tmp_path: Path, decodings: Counter[str]
) -> None:
    def decoded() -> int:
        decodings.clear()
        cache = DecodedImages(tmp_path / "cache")
        prepare(tmp_path / "out", params(), cache, TeacherImageFormat())
        return decodings["decoded"]

    assert decoded() == 48 + 1 + 3  # one of them damaged, and not kept; three in the drawer
    assert decoded() == 1
    for number in range(10):
        photo(tmp_path / f"photos/b/new{number}.jpg", 200 + number)
    (tmp_path / "photos/a/0.jpg").rename(tmp_path / "photos/a/renamed.jpg")
    assert decoded() == 1 + 10


def test_each_file_is_read_whole_once(
    params: Callable[..., DataParams], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    read_bytes = Path.read_bytes

    def counted(path: Path) -> bytes:
        counts[path.name] += path.is_relative_to(tmp_path / "photos")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    load_dataset(params(stable_split=True), DecodedImages(tmp_path / "cache"))
    assert {name for name in counts if "." in name} >= {"0.jpg", "1.png", "cut.jpg"}
    assert max(counts.values()) == 1


def test_what_a_name_refuses_is_refused_though_its_content_is_known(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg", 0)
    (tmp_path / "a.nef").write_bytes((tmp_path / "a.jpg").read_bytes())
    reader = ImageReader(decoded=DecodedImages(tmp_path / "cache"))
    reader.read(tmp_path / "a.jpg", image_size=(8, 8))
    with pytest.raises(ImageError, match="a camera's raw file"):
        reader.read(tmp_path / "a.nef", image_size=(8, 8))
    smaller = ImageReader(max_pixels=100, decoded=DecodedImages(tmp_path / "cache"))
    with pytest.raises(ImageError, match="more than 100 pixels"):
        smaller.read(tmp_path / "a.jpg", image_size=(8, 8))


def test_an_image_of_the_wanted_size_is_not_kept(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 0)
    reader = ImageReader(decoded=DecodedImages(tmp_path / "cache"))
    reader.read(tmp_path / "a.png", image_size=(64, 80))
    assert not (tmp_path / "cache").exists()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    reader = ImageReader()
    with pytest.raises(ImageError, match="a link or entry that leads to no file"):
        reader.read(tmp_path / "gone.jpg", image_size=(8, 8))
