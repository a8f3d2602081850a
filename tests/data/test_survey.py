"""Images of 16 bits: their range is found over the whole dataset, said, and recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import load_dataset, write_prepared
from kdtasks.data.prepared import SPLITS, open_prepared
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import Item
from kdtasks.data.survey import survey_depth
from kdtasks.data.unlabelled import UnlabelledImages, read_unlabelled
from kdtasks.edge.decoder import Decoder
from tests.tools.deep_images import deep_png, deep_tiff


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve bits as grey PNG, 48-bit PNG and 48-bit TIFF, and a file of 8 bits in each class."""
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        values = generator.integers(0, 4000, (3, 6, 6, 3), np.uint16)
        values[:, 0, 0] = 4000
        Image.fromarray(values[0, ..., 0]).save(tmp_path / name / "grey.png")
        (tmp_path / name / "colour.png").write_bytes(deep_png(values[1]))
        (tmp_path / name / "colour.tif").write_bytes(deep_tiff(values[2]))
        flat = generator.integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(flat).save(tmp_path / name / "usual.png")
    return tmp_path


@pytest.fixture
def params(folder: Path, data_params: Callable[..., DataParams]) -> Callable[..., DataParams]:
    def build(**keys: Any) -> DataParams:
        options = {"path": str(folder), "image_size": [6, 6], **keys}
        return data_params({"name": "image_folder"}, **options)

    return build


def brightest(dataset: Any, name: str) -> int:
    row = dataset.origins.index(name)
    return int(dataset.images[row, 0, 0].max())


def test_the_range_is_found_out_and_said(params: Callable[..., DataParams]) -> None:
    dataset = load_dataset(params())
    assert dataset.deep_range == (0, 4095)
    assert dataset.notes[1:] == (
        "16 bits a channel in 6 images: 0 becomes 0 and 4095 becomes 255 (the largest value is "
        "4,000; data.range sets others); the other 2 as they are",
    )
    # 4000 · 255 / 4095 = 249.1
    for name in ("cat/grey.png", "cat/colour.png", "dog/colour.tif"):
        assert brightest(dataset, name) == 249


def test_a_range_that_is_given_is_taken(params: Callable[..., DataParams]) -> None:
    dataset = load_dataset(params(range=[0, 8000]))
    assert dataset.deep_range == (0, 8000)
    assert "(as data.range says;" in dataset.notes[1]
    assert brightest(dataset, "dog/colour.png") == 128  # 4000 · 255 / 8000 = 127.5


def test_an_image_without_a_label_that_the_range_would_clip_is_named(
    params: Callable[..., DataParams], tmp_path_factory: pytest.TempPathFactory
) -> None:
    drawer = tmp_path_factory.mktemp("drawer")
    values = np.random.default_rng(1).integers(0, 4000, (2, 6, 6), np.uint16)
    values[:, 0, 0] = 4095, 9000
    for name, pixels in zip(("as the others.png", "brighter.png"), values, strict=True):
        Image.fromarray(pixels).save(drawer / name)

    def read(**keys: Any) -> UnlabelledImages:
        asked = params(unlabelled=str(drawer), **keys)
        dataset = load_dataset(asked)
        rows = np.arange(len(dataset))
        return read_unlabelled(asked, dataset, {"train": rows[:4], "test": rows[4:]})

    with pytest.raises(
        DatasetError, match=r"\n  brighter\.png: .* up to 9,000, and 4,095 .* set data\.range .*$"
    ) as caught:
        read()
    assert "as the others" not in str(caught.value)
    assert read(on_bad="skip").names == ("unlabelled/as the others.png",)
    assert len(read(range=[0, 9000]).images) == 2


@pytest.mark.parametrize("wrong", [[5, 5], [9, 2], [0, 65536], [-1, 5]])
def test_a_range_must_be_one_of_sixteen_bits(params: Callable[..., DataParams], wrong) -> None:
    with pytest.raises(ValidationError, match=r"range"):
        params(range=wrong)


@pytest.mark.parametrize("deep", [True, False])
def test_the_range_is_recorded_where_there_is_one(
    tmp_path_factory: pytest.TempPathFactory,
    params: Callable[..., DataParams],
    folder: Path,
    deep: bool,
) -> None:
    for path in folder.glob("*/*"):
        if not deep and path.name != "usual.png":
            path.unlink()
    dataset, rows = load_dataset(params()), np.arange(2)
    prepared = tmp_path_factory.mktemp("out") / "prepared"
    write_prepared(prepared, dataset, dict.fromkeys(SPLITS, rows), params())
    assert open_prepared(prepared).deep_range == ((0, 4095) if deep else None)
    text = (prepared / "dataset.json").read_text()
    assert ("deep_range" in text, "layout" in text) == (deep, True)


@pytest.mark.parametrize(
    ("highest", "expected"), [(255, 255), (256, 1023), (4000, 4095), (9000, 16383), (65535, 65535)]
)
def test_the_smallest_number_of_bits_that_holds_all(
    tmp_path: Path, highest: int, expected: int
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(deep_png(np.full((1, 1, 3), highest, np.uint16)))
    found = survey_depth(
        [Item("a.png", path, 0), Item("gone.png", tmp_path / "gone.png", 0)], Decoder()
    )
    assert found.decoder.deep_range == (0, expected)


def test_files_of_several_frames_are_named(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), level) for level in (9, 99)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    found = survey_depth(
        [Item("film.gif", tmp_path / "film.gif", 0), Item("row", np.zeros((2, 2, 1), np.uint8), 0)],
        Decoder(),
    )
    assert found.notes == ("several frames in 1 file, such as film.gif: the first one is taken",)
    assert found.decoder == Decoder()
