import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.read import read_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.sources.fashion_mnist import read_idx


def idx(values: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for prefix, rows in (("train", 60), ("t10k", 20)):
        images = generator.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
        labels = (np.arange(rows) % 10).astype(np.uint8)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        (tmp_path / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return tmp_path


def test_plain_and_gzipped_files_are_read(
    folder: Path, data_params: Callable[..., DataParams]
) -> None:
    dataset = read_dataset(data_params("fashion_mnist", path=str(folder)))
    assert dataset.images.shape == (80, 28, 28, 1)
    assert dataset.given is not None
    assert dataset.given.tolist() == [""] * 60 + ["test"] * 20
    assert tuple(dataset.origins[59:61]) == ("train[59]", "test[0]")
    assert dataset.class_names[dataset.labels[61]] == "Trouser"


def test_max_images_keeps_the_shares_of_classes_and_of_the_test_set(
    folder: Path, data_params: Callable[..., DataParams]
) -> None:
    dataset = read_dataset(data_params("fashion_mnist", path=str(folder), max_images=40))
    assert dataset.given is not None
    assert np.bincount(dataset.labels).tolist() == [4] * 10
    assert np.bincount(dataset.labels[dataset.given == "test"]).tolist() == [1] * 10


def test_a_missing_file_is_named(folder: Path, data_params: Callable[..., DataParams]) -> None:
    (folder / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(DatasetError, match=r"neither t10k-images-idx3-ubyte nor .*\.gz"):
        read_dataset(data_params("fashion_mnist", path=str(folder)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing, 00 00 08 01 was expected"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 0]), "starts with 00 00 0d 01"),
        (idx(np.zeros(5, np.uint8))[:-1], r"holds 4 values, its header says \(5,\)"),
    ],
)
def test_a_damaged_idx_file_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read_idx(path, dimensions=1)


def test_a_damaged_gzip_is_told(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(idx(np.zeros(500, np.uint8)))[:-9])
    with pytest.raises(DatasetError, match="cannot be read"):
        read_idx(path, dimensions=1)


def test_labels_of_no_class_and_wrong_numbers_are_told(
    folder: Path, data_params: Callable[..., DataParams]
) -> None:
    path = folder / "train-labels-idx1-ubyte.gz"
    params = data_params("fashion_mnist", path=str(folder))
    path.write_bytes(gzip.compress(idx(np.full(60, 11, np.uint8))))
    with pytest.raises(DatasetError, match=r"train\[0\] has the label 11, 0…9 were expected"):
        read_dataset(params)
    path.write_bytes(gzip.compress(idx(np.zeros(59, np.uint8))))
    with pytest.raises(DatasetError, match="60 images and 59 labels"):
        read_dataset(params)


def fake_keras(monkeypatch: pytest.MonkeyPatch, load_data: Callable[[], Any]) -> None:
    datasets = SimpleNamespace(fashion_mnist=SimpleNamespace(load_data=load_data))
    monkeypatch.setitem(sys.modules, "tf_keras", SimpleNamespace(datasets=datasets))


def test_an_empty_folder_lets_keras_download(
    tmp_path: Path, data_params: Callable[..., DataParams], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = np.ones((30, 28, 28), np.uint8), np.arange(30, dtype=np.uint8) % 10
    test = np.zeros((10, 28, 28), np.uint8), np.arange(10, dtype=np.uint8)
    fake_keras(monkeypatch, lambda: (train, test))
    dataset = read_dataset(data_params("fashion_mnist", path=str(tmp_path)))
    assert dataset.images.shape == (40, 28, 28, 1)
    assert dataset.labels[:12].tolist() == [*range(10), 0, 1]


def test_a_failed_download_says_what_to_do(
    tmp_path: Path, data_params: Callable[..., DataParams], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Any:
        raise Exception("URL fetch failure")

    fake_keras(monkeypatch, fail)
    with pytest.raises(DatasetError, match=r"URL fetch failure.*data\.path"):
        read_dataset(data_params("fashion_mnist", path=str(tmp_path)))
