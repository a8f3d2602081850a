import json
import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError, KdTasksError
from kdtasks.core.records.data import Duplicate, Problem, SplitCounts
from kdtasks.data import checks, stacked_rows
from kdtasks.data.prepare import load_dataset, write_prepared
from kdtasks.data.prepared import SPLITS, open_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import Item
from kdtasks.data.split import split_dataset


@pytest.fixture
def params(data_params: Callable[..., DataParams]) -> DataParams:
    return data_params("digits")


@pytest.fixture
def raw(tiny_dataset: Callable[..., RawDataset]) -> RawDataset:
    return tiny_dataset(
        [0, 1] * 10,
        problems=(Problem("z.png", "not an image"),),
        excluded=(Problem("b.png", "no labelled pixel"),),
        duplicates=(
            Duplicate(("row[0]", "row[2]"), ("class_0",)),
            Duplicate(("x.png", "y.png"), ("class_0", "class_1")),
        ),
    )


@pytest.fixture
def folder(tmp_path: Path, raw: RawDataset, params: DataParams) -> Path:
    path = tmp_path / "data" / "prepared"
    write_prepared(path, raw, split_dataset(raw, params.split, seed=0), params)
    return path


def test_images_are_timed_of_the_validation_split_alone_and_always_the_same(folder: Path) -> None:
    dataset = open_prepared(folder)
    images = dataset.images("validation")
    every = dataset.timed_images(1000)
    assert sorted(image.tobytes() for image in every) == sorted(image.tobytes() for image in images)
    assert len(images) > 1
    np.testing.assert_array_equal(dataset.timed_images(1), every[:1])


def test_what_was_written_is_opened(folder: Path, raw: RawDataset, params: DataParams) -> None:
    dataset = open_prepared(folder)
    assert dataset.name == "digits"
    assert dataset.task == "classification"
    assert dataset.class_names == ("class_0", "class_1")
    assert dataset.num_classes == 2
    assert dataset.image_shape == (2, 2, 1)
    assert dataset.ignore_label is None
    assert dataset.counts["train"] == SplitCounts(total=8, by_class={"class_0": 4, "class_1": 4})
    split = split_dataset(raw, params.split, seed=0)
    for name in SPLITS:
        images, labels = dataset.images(name), dataset.labels(name)
        assert isinstance(images, np.memmap)
        assert np.array_equal(images, raw.images[split[name]])
        assert np.array_equal(labels, raw.labels[split[name]])
        assert (images.dtype, labels.dtype) == (np.uint8, np.int32)


def peak_of(params: DataParams, target: Path) -> int:
    """Prepare a dataset; gives the most bytes that it held."""
    tracemalloc.start()
    try:
        dataset = load_dataset(params)
        split = split_dataset(dataset, params.split, seed=0)
        write_prepared(target, dataset, split, params)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_more_images_take_no_more_memory(
    tmp_path: Path,
    noise: Callable[..., np.ndarray],
    data_params: Callable[..., DataParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stacked_rows, "_PART_BYTES", 100_000)
    peaks = []
    for count in (10, 40):
        for number in range(count):
            path = tmp_path / str(count) / f"class_{number % 2}" / f"{number}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise(number, 256, 256)).save(path)
        params = data_params(
            "image_folder",
            path=str(tmp_path / str(count)),
            image_size=[256, 256],
            near_copies=False,
        )
        peaks.append(peak_of(params, tmp_path / "prepared"))
    # thirty images of 196,608 bytes more: names, hashes and records are less than an eighth of that
    assert peaks[1] - peaks[0] < 30 * 196_608 / 8


def test_an_image_more_is_some_numbers_in_memory_and_no_object(
    tmp_path: Path, data_params: Callable[..., DataParams], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacked_rows, "_PART_BYTES", 4_000)
    monkeypatch.setattr(checks, "_COMPARED", 100)
    params, peaks = data_params("digits", near_copies=False), []
    for count in (1_000, 1_000, 9_000):  # at first modules are imported
        pixels = np.arange(count, dtype=np.uint32).view(np.uint8).reshape(count, 1, 4, 1)
        items = (Item(f"{row}", image, row % 10) for row, image in enumerate(pixels))
        monkeypatch.setattr(type(params.source), "items", lambda *_, items=items: items)
        peaks.append(peak_of(params, tmp_path / "prepared"))
    # a dozen arrays of eight bytes a row at once; an item and its name take three times as much
    assert (peaks[2] - peaks[1]) / 8_000 < 96


def test_the_description_is_as_documented(folder: Path) -> None:
    content = json.loads((folder / "dataset.json").read_text())
    assert sorted(content) == [
        "class_names",
        "contradictions",
        "counts",
        "duplicates",
        "excluded",
        "groups",
        "ignore_label",
        "image_shape",
        "name",
        "sha256",
        "split_by",
        "task",
    ]
    contradiction = {"images": ["x.png", "y.png"], "labels": ["class_0", "class_1"]}
    assert content["contradictions"] == [contradiction]
    assert len(content["duplicates"]) == 2
    assert content["excluded"] == [
        {"path": "b.png", "problem": "no labelled pixel"},
        {"path": "z.png", "problem": "not an image"},
    ]
    files = {path.name for path in folder.glob("*.npy")}
    assert len(files) == 12
    assert content["sha256"] == {
        name: sha256((folder / name).read_bytes()).hexdigest() for name in files
    }


def test_the_same_dataset_gives_the_same_bytes(
    tmp_path: Path, folder: Path, raw: RawDataset, params: DataParams
) -> None:
    other = tmp_path / "again"
    write_prepared(other, raw, split_dataset(raw, params.split, seed=0), params)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    assert all((folder / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_masks_keep_their_shape_and_ignore_label(
    tmp_path: Path, data_params: Callable[..., DataParams]
) -> None:
    labels = np.array([[[0, 1]], [[1, 255]]] * 10, np.uint8)
    raw = RawDataset(
        task="segmentation",
        images=np.arange(120, dtype=np.uint8).reshape(20, 1, 2, 3),
        labels=labels,
        class_names=("a", "b"),
        origins=("",) * 20,
        ignore_label=255,
    )
    section = data_params({"name": "segmentation_folder", "classes": {"a": 0, "b": 1}})
    write_prepared(tmp_path / "out", raw, split_dataset(raw, section.split, seed=0), section)
    dataset = open_prepared(tmp_path / "out")
    assert dataset.labels("train").shape == (8, 1, 2)
    assert dataset.labels("train").dtype == np.uint8
    assert dataset.ignore_label == 255
    totals = [sum(part.by_class.values()) for part in dataset.counts.values()]
    assert sum(totals) == 30


@pytest.mark.parametrize("name", ["test_labels.npy", "train_images.npy"])
def test_an_incomplete_folder_is_told(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DatasetError, match=f"{name} not found; run `dvc repro prepare`"):
        open_prepared(folder)


def test_damaged_files_are_told(folder: Path) -> None:
    array = folder / "test_images.npy"
    array.write_bytes(array.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"test_images\.npy is damaged"):
        open_prepared(folder)
    np.save(array, np.zeros((3, 2, 2, 1), np.uint8))
    with pytest.raises(DatasetError, match=r"holds \(3, 2, 2, 1\), dataset.json says \(4, 2, 2, 1"):
        open_prepared(folder)
    (folder / "dataset.json").write_text("{}")
    with pytest.raises(KdTasksError, match=r"dataset\.json is not what Dataset describes"):
        open_prepared(folder)
    (folder / "dataset.json").unlink()
    with pytest.raises(KdTasksError, match=r"dataset\.json not found; run `dvc repro`"):
        open_prepared(folder)


def test_an_unknown_split_lists_the_choices(folder: Path) -> None:
    with pytest.raises(DatasetError, match="no split 'dev'; the splits are train, validation"):
        open_prepared(folder).images("dev")


def test_no_duplicate_straddles_two_splits_of_a_folder(
    tmp_path: Path,
    image_folder: Path,
    data_params: Callable[..., DataParams],
) -> None:
    for number in range(3):
        for copy in range(3):
            target = image_folder / "cats" / f"{number}_{copy}.png"
            target.write_bytes((image_folder / "cats" / f"{number}.png").read_bytes())
    section = data_params("image_folder", path=str(image_folder), image_size=[8, 8])
    raw = load_dataset(section)
    write_prepared(tmp_path / "out", raw, split_dataset(raw, section.split, seed=0), section)
    dataset = open_prepared(tmp_path / "out")
    seen = [{image.tobytes() for image in dataset.images(name)} for name in SPLITS]
    assert sum(len(part) for part in seen) == len(set.union(*seen)) == 12
