import pickle
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

NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
ROWS = 20


def batches() -> list[tuple[str, np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(0)
    labels = np.arange(ROWS) % 10
    return [(name, generator.integers(0, 256, (ROWS, 3072), np.uint8), labels) for name in NAMES]


def write_python(root: Path, protocol: int) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for name, values, labels in batches():
        record = {b"batch_label": name.encode(), b"labels": labels.tolist(), b"data": values}
        (folder / name).write_bytes(pickle.dumps(record, protocol=protocol))
    return folder


def write_binary(root: Path) -> Path:
    folder = root / "cifar-10-batches-bin"
    folder.mkdir()
    for name, values, labels in batches():
        rows = np.column_stack([labels.astype(np.uint8), values])
        (folder / f"{name}.bin").write_bytes(rows.tobytes())
    return folder


def expected_pixel(row: int, y: int, x: int) -> list[int]:
    """Red, green and blue planes follow each other, each row by row."""
    values = np.concatenate([values for _, values, _ in batches()])[row]
    return [int(values[plane * 1024 + y * 32 + x]) for plane in range(3)]


@pytest.mark.parametrize("protocol", [2, 4])
def test_python_batches(
    tmp_path: Path, data_params: Callable[..., DataParams], protocol: int
) -> None:
    write_python(tmp_path, protocol)
    dataset = read_dataset(data_params("cifar10", path=str(tmp_path)))
    assert dataset.images.shape == (6 * ROWS, 32, 32, 3)
    assert dataset.images.flags.c_contiguous
    assert dataset.images[45, 3, 7].tolist() == expected_pixel(45, 3, 7)
    assert dataset.labels[:3].tolist() == [0, 1, 2]
    assert dataset.given is not None
    assert np.flatnonzero(dataset.given == "test").tolist() == list(range(5 * ROWS, 6 * ROWS))


def test_binary_batches_hold_the_same(
    tmp_path: Path, data_params: Callable[..., DataParams]
) -> None:
    folder = write_binary(tmp_path)
    binary = read_dataset(data_params("cifar10", path=str(folder)))
    write_python(tmp_path, 2)
    python = read_dataset(data_params("cifar10", path=str(tmp_path)))
    assert np.array_equal(binary.images, python.images)
    assert np.array_equal(binary.labels, python.labels)


def python_2_pickle(values: np.ndarray, labels: list[int]) -> bytes:
    """Spell a batch as the official files do: `str` of Python 2, numpy's old path, 0 and 1."""
    return b"".join(
        [
            b"\x80\x02}(U\x04data",
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
            b"(K\x01K",
            bytes([len(values)]),
            b"M\x00\x0c\x86",  # 3072, as two little-endian bytes
            b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
            values.size.to_bytes(4, "little"),
            values.tobytes(),
            b"tbU\x06labels](",
            *(b"K" + bytes([label]) for label in labels),
            b"eu.",
        ]
    )


def test_a_python_2_pickle_is_read(tmp_path: Path, data_params: Callable[..., DataParams]) -> None:
    for name, values, labels in batches():
        (tmp_path / name).write_bytes(python_2_pickle(values, labels.tolist()))
    dataset = read_dataset(data_params("cifar10", path=str(tmp_path)))
    assert len(dataset) == 6 * ROWS
    assert dataset.images[45, 3, 7].tolist() == expected_pixel(45, 3, 7)


def test_a_pickle_that_would_run_code_is_refused(
    tmp_path: Path, data_params: Callable[..., DataParams]
) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    folder = write_python(tmp_path, 2)
    (folder / "data_batch_3").write_bytes(pickle.dumps({b"data": Evil()}, protocol=2))
    with pytest.raises(DatasetError, match=r"data_batch_3: the pickle names .*could run code"):
        read_dataset(data_params("cifar10", path=str(tmp_path)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"garbage", "cannot be unpickled"),
        (pickle.dumps([1, 2]), "holds no uint8 `data`"),
        (pickle.dumps({b"data": [1], b"labels": [1]}), "holds no uint8 `data`"),
        (None, "data_batch_2 not found"),
    ],
)
def test_a_damaged_batch_is_told(
    tmp_path: Path, data_params: Callable[..., DataParams], content: bytes | None, message: str
) -> None:
    path = write_python(tmp_path, 4) / "data_batch_2"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read_dataset(data_params("cifar10", path=str(tmp_path)))


def test_a_cut_binary_batch_is_told(tmp_path: Path, data_params: Callable[..., DataParams]) -> None:
    path = write_binary(tmp_path) / "data_batch_1.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match="a multiple of 3073 was expected"):
        read_dataset(data_params("cifar10", path=str(tmp_path)))


def test_a_missing_folder_is_told(tmp_path: Path, data_params: Callable[..., DataParams]) -> None:
    with pytest.raises(DatasetError, match="gone not found, the folder of cifar-10-batches-py"):
        read_dataset(data_params("cifar10", path=str(tmp_path / "gone")))


def test_an_empty_folder_lets_keras_download(
    tmp_path: Path, data_params: Callable[..., DataParams], monkeypatch: pytest.MonkeyPatch
) -> None:
    half = np.zeros((20, 32, 32, 3), np.uint8), (np.arange(20, dtype=np.uint8) % 10)[:, None]
    datasets = SimpleNamespace(cifar10=SimpleNamespace(load_data=lambda: (half, half)))
    monkeypatch.setitem(sys.modules, "tf_keras", SimpleNamespace(datasets=datasets))
    dataset = read_dataset(data_params("cifar10", path=str(tmp_path)))
    assert dataset.labels.shape == (40,)
